"""What may be kept of the inputs of a prediction, applied before anything is written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any, Self

import numpy as np

from leeway_drift.columns import Float32Array, Rows
from leeway_drift.labels.feedback import is_key

SALT_BYTES = 32
_HASH_BYTES = 16


class Privacy(StrEnum):
    """What a manifest may ask for one of its inputs."""

    KEEP = "keep"
    HASH = "hash"
    """A keyed hash: equal values stay equal, and only who holds the salt can test a guess."""
    BIN = "bin"
    """The bin of the drift profile that a number falls into, or a category that the manifest lists."""
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Handling:
    """How the inputs of a version are to be treated; an input that is not listed is dropped.

    Attributes:
        inputs: by name.
        categories: the public ones of each categorical input.
        entity_key: the input whose value says whom or what a row is about.
    """

    inputs: Mapping[str, Privacy] = field(default_factory=dict)
    categories: Mapping[str, frozenset[str]] = field(default_factory=dict)
    entity_key: str | None = None

    @classmethod
    def of(cls, manifest: Mapping[str, Any] | None) -> Self:
        """Read a manifest; without one, or with one that cannot be read, nothing of the inputs is kept."""
        if manifest is None:
            return cls()
        try:
            inputs = {str(declared["name"]): _privacy(declared) for declared in manifest["inputs"]}
            categories = {
                str(declared["name"]): frozenset(map(str, declared.get("categories", ())))
                for declared in manifest["inputs"]
            }
            key = manifest.get("entity_key")
        except (AttributeError, KeyError, TypeError):
            return cls()
        return cls(inputs, categories, key if isinstance(key, str) else None)


def _privacy(declared: Mapping[str, Any]) -> Privacy:
    try:
        return Privacy(declared.get("privacy", "keep"))
    except ValueError:
        return Privacy.DROP  # a rule of a later schema; the least that may be kept


@dataclass(frozen=True, slots=True)
class Redaction:
    """Applies a version's handling to its rows.

    Args:
        handling: from the manifest.
        edges: of the profile's bins by numeric feature; a number to be binned without them is dropped.
        salt: secret key of the hashes, 32 bytes.
    """

    handling: Handling
    edges: Mapping[str, Float32Array]
    salt: bytes = field(repr=False)

    def inputs(self, rows: Rows) -> list[dict[str, object]]:
        """What may be kept of each row: float32, str or None (missing) by name."""
        kept: list[dict[str, object]] = [{} for _ in range(rows.count)]
        for name in (*rows.numeric, *rows.categorical):
            privacy = self.handling.inputs.get(name, Privacy.DROP)
            if privacy is Privacy.DROP or (privacy is Privacy.BIN and name in rows.numeric and name not in self.edges):
                continue
            for row, value in zip(kept, rows.column(name), strict=True):
                row[name] = None if _missing(value) else self._shown(name, privacy, value)
        return kept

    def entities(self, rows: Rows) -> Sequence[str | None]:
        """The entity of each row as labels may name it; None where it is unknown or may not be kept."""
        key = self.handling.entity_key
        if key is None or key not in (*rows.numeric, *rows.categorical):
            return [None] * rows.count
        return [self.entity(value) for value in rows.column(key)]

    def entity(self, value: object) -> str | None:
        """One entity, given by a row or by a label, in the form in which it is kept; None for what no label can name.

        Inputs come from whoever may call the model: text without an end, or that a database refuses, is no entity.
        """
        match self.handling.inputs.get(self.handling.entity_key or "", Privacy.DROP):
            case Privacy.KEEP if not _missing(value):
                text = _text(value)
                return text if is_key(text) else None
            case Privacy.HASH if not _missing(value):
                return self._hash(self.handling.entity_key or "", value)
            case _:
                return None

    def _shown(self, name: str, privacy: Privacy, value: Any) -> object:
        if privacy is Privacy.KEEP:
            return value
        if privacy is Privacy.HASH:
            return self._hash(name, value)
        if isinstance(value, str):
            return value if value in self.handling.categories.get(name, ()) else "(not listed)"
        return _bin_label(value, self.edges[name])

    def _hash(self, name: str, value: object) -> str:
        # The name is hashed too: equal values of two inputs are nobody's business.
        text = f"{name}\0{_text(value)}".encode(errors="backslashreplace")
        return blake2b(text, key=self.salt, digest_size=_HASH_BYTES).hexdigest()


def _missing(value: object) -> bool:
    return value is None or (not isinstance(value, str) and math.isnan(float(value)))  # type: ignore[arg-type]  # a number


def _text(value: object) -> str:
    """A number as the model sees it, in the fewest digits, so that 7, 7.0 and its float32 are one entity."""
    if isinstance(value, str):
        return value
    number = np.float32(value)  # type: ignore[arg-type]  # a number: rows hold nothing else
    return str(int(number)) if number == np.trunc(number) and np.isfinite(number) else str(number)


def _bin_label(value: np.float32, edges: Float32Array) -> str:
    """``[lower, upper)`` as ``counting.bins`` counts it; open at the ends of the reference."""
    index = int(np.searchsorted(edges, value, side="right"))
    lower = str(edges[index - 1]) if index > 0 else "-inf"
    upper = str(edges[index]) if index < len(edges) else "inf"
    return f"[{lower}, {upper})"
