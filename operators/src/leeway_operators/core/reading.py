"""Reads JSON that somebody may have edited by hand: every mistake names its field and what was expected."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, get_args

T = TypeVar("T")


class UnreadableError(ValueError):
    """A field that is not what it should be."""


@dataclass(frozen=True)
class Fields:
    """The fields of one JSON object; `path` is its name in messages."""

    path: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, path: str, value: object) -> "Fields":
        """Take a value that should be an object.

        Raises:
            UnreadableError: it is none.
        """
        if not isinstance(value, Mapping):
            raise _unlike(path, "an object", value)
        return cls(path, value)

    def _read(self, name: str, expected: str, fits: Callable[[Any], bool]) -> Any:
        value = self.values.get(name)
        if value is None:
            raise UnreadableError(f"{self.path}.{name}: {expected} expected, it is missing")
        if not fits(value):
            raise _unlike(f"{self.path}.{name}", expected, value)
        return value

    def text(self, name: str) -> str:
        """A string."""
        return str(self._read(name, "a string", lambda value: isinstance(value, str)))

    def choice(self, name: str, literal: Any) -> Any:
        """One of the strings of a `Literal`."""
        options = get_args(literal)
        return self._read(name, f"one of {', '.join(options)}", lambda value: value in options)

    def integer(self, name: str) -> int:
        """A whole number that is not negative."""
        return int(self._read(name, "a number, 0 or more,", lambda value: type(value) is int and value >= 0))

    def number(self, name: str) -> float:
        """A finite number."""
        return float(self._read(name, "a finite number", _is_finite))

    def time(self, name: str) -> datetime:
        """A time with its zone."""
        text = self.text(name)
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            raise _unlike(f"{self.path}.{name}", "a time such as 2026-01-31T12:00:00Z", text)
        return time

    def mapping(self, name: str) -> Mapping[str, Any]:
        """An object, as it is."""
        return Fields.of(f"{self.path}.{name}", self._read(name, "an object", lambda _: True)).values

    def fields(self, name: str) -> "Fields":
        """The fields of an object within."""
        return Fields(f"{self.path}.{name}", self.mapping(name))

    def items(self, name: str) -> Sequence[tuple[str, Any]]:
        """The entries of a list, each with its path; none if the list is absent."""
        values = self.values.get(name)
        if values is None:
            return ()
        if not isinstance(values, list):
            raise _unlike(f"{self.path}.{name}", "a list", values)
        return [(f"{self.path}.{name}[{index}]", value) for index, value in enumerate(values)]

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """What `read` makes of the field; None if it is absent."""
        return read(name) if self.values.get(name) is not None else None


class Tolerant:
    """Reads what it can of an object and leaves out the rest; `complaints` names what that was."""

    def __init__(self, path: str, value: object) -> None:
        self.complaints: list[str] = []
        try:
            self.fields = Fields.of(path, value)
        except UnreadableError as error:
            self.fields = Fields(path, {})
            self.complaints.append(str(error))

    def get(self, name: str, read: Callable[[str], T]) -> T | None:
        """What `read` makes of a field; None if it is absent or something else."""
        try:
            return self.fields.optional(name, read)
        except UnreadableError as error:
            self.complaints.append(str(error))
            return None

    def one(self, name: str, read: Callable[[Fields], T]) -> T | None:
        """What `read` makes of an object; None if it is absent or something else."""
        return self.get(name, lambda name: read(self.fields.fields(name)))

    def all(self, name: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        """What `read` makes of each entry of a list, without those that are something else."""
        found = []
        for path, value in self.get(name, self.fields.items) or ():
            try:
                found.append(read(Fields.of(path, value)))
            except UnreadableError as error:
                self.complaints.append(str(error))
        return tuple(found)


def _is_finite(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type] # bool is no number here


def _unlike(path: str, expected: str, value: object) -> UnreadableError:
    return UnreadableError(f"{path}: {expected} expected, not {str(value)[:40]!r}")
