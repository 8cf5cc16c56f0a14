"""States of tests: frozen bundles of arrays, chosen between by rollout, written to JSON and read back strictly."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Self, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ANY = -1
"""A length that differs between states of one kind, as the number of cells between features."""
LONGEST = 8
"""Of such a length."""
LARGEST = 1e15
"""Of a number in a document: counts above it are no longer exact."""


class UnreadableError(ValueError):
    """A document that is no experiment: which field, and what was expected."""


@dataclass(frozen=True)
class Axes:
    """In the type of a field of numbers: the lengths of its last axes, after those of the rollouts."""

    lengths: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Base of all states: a field is another state, or numbers: `Array`, or `Annotated[Array, Axes(...)]`."""

    def chosen(self, where: NDArray[np.bool_], other: Self) -> Self:
        """This state in the rollouts where it is asked for, the other one elsewhere."""
        values: dict[str, Any] = {}
        for name, kind in _kinds(type(self)).items():
            mine, others = getattr(self, name), getattr(other, name)
            if isinstance(kind, Axes):
                over = tuple(range(-len(kind.lengths), 0))
                values[name] = np.where(np.expand_dims(where, over), mine, others)
            else:
                values[name] = mine.chosen(where, others)
        return type(self)(**values)

    def document(self) -> dict[str, Any]:
        """As JSON.

        Raises:
            ValueError: it holds several rollouts.
        """
        return {
            name: _plain(name, getattr(self, name), kind) if isinstance(kind, Axes) else getattr(self, name).document()
            for name, kind in _kinds(type(self)).items()
        }

    @classmethod
    def of_document(cls, document: object, where: str) -> Self:
        """Read back what `document` wrote.

        Args:
            document: to be read.
            where: it stands, for messages.

        Raises:
            UnreadableError: it is something else.
        """
        kinds = _kinds(cls)
        given = mapping(document, where, expected=kinds)
        return cls(
            **{
                name: np.asarray(_checked(given[name], kind.lengths, f"{where}.{name}"), dtype=np.float64)
                if isinstance(kind, Axes)
                else kind.of_document(given[name], f"{where}.{name}")
                for name, kind in kinds.items()
            }
        )


@cache
def _kinds(state: type[State]) -> Mapping[str, Axes | type[State]]:
    """What each field of a kind of state holds."""
    kinds: dict[str, Axes | type[State]] = {}
    for name, hint in get_type_hints(state, include_extras=True).items():
        if isinstance(hint, type) and issubclass(hint, State):
            kinds[name] = hint
        else:
            kinds[name] = get_args(hint)[1] if get_origin(hint) is Annotated else Axes(())
    return kinds


def mapping(value: object, where: str, expected: Mapping[str, object] | None = None) -> Mapping[str, Any]:
    """A mapping with exactly the expected fields; any fields if none are named.

    Raises:
        UnreadableError: it is none.
    """
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise UnreadableError(f"{where}: expected a mapping, found {type(value).__name__}")
    if expected is not None and set(value) != set(expected):
        wrong = sorted(set(value) ^ set(expected))
        raise UnreadableError(f"{where}: expected the fields {sorted(expected)}, missing or unknown: {wrong}")
    return value


def number(value: object, where: str, *, least: float = -LARGEST, most: float = LARGEST) -> float:
    """A finite number within bounds.

    Raises:
        UnreadableError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError(f"{where}: expected a number, found {type(value).__name__}")
    if not least <= value <= most:  # false for NaN, too
        raise UnreadableError(f"{where}: expected a number from {least:g} to {most:g}, found {value}")
    return float(value)


def _plain(name: str, value: Array, axes: Axes) -> Any:
    if value.ndim != len(axes.lengths):
        raise ValueError(f"{name} holds several rollouts: only the state of one can be written")
    return _dense(value.tolist())


def _dense(value: Any) -> Any:
    """Whole numbers without their `.0`: a document is written at every look."""
    if isinstance(value, list):
        return [_dense(item) for item in value]
    return int(value) if value == math.floor(value) else value


def _checked(value: object, shape: tuple[int, ...], where: str) -> float | list[Any]:
    if not shape:
        return number(value, where)
    if not isinstance(value, list):
        raise UnreadableError(f"{where}: expected a list, found {type(value).__name__}")
    length = shape[0]
    if (length != ANY and len(value) != length) or not 0 < len(value) <= max(length, LONGEST):
        raise UnreadableError(f"{where}: expected {length if length != ANY else f'1 to {LONGEST}'} items")
    items = [_checked(item, shape[1:], f"{where}[{index}]") for index, item in enumerate(value)]
    lengths = {len(cast("list[Any]", item)) for item in items} if len(shape) > 1 else set()
    if len(lengths) > 1:
        raise UnreadableError(f"{where}: expected lists of equal length")
    return items
