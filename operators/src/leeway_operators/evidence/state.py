"""States of tests: frozen bundles of arrays, chosen between by rollout, written to JSON and read back strictly."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ANY = -1
"""A length that differs between states of one kind, as the number of cells between features."""
LONGEST = 8
"""Of such a length."""
MOST_NAMES = 20
"""In a mapping of states."""
LARGEST = 1e15
"""Of a number in a document: counts above it are no longer exact."""


class UnreadableError(ValueError):
    """A document that is no experiment: which field, and what was expected."""


@dataclass(frozen=True)
class Axes:
    """In the type of a field of numbers: the lengths of its last axes, after those of the rollouts, and the least."""

    lengths: tuple[int, ...]
    least: float = -LARGEST


Count = Annotated[Array, Axes((), least=0.0)]
"""One number, never negative."""


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """Base of all states.

    A field is another state, a mapping of them by name, or numbers: `Array`, or `Annotated[Array, Axes(...)]`.
    """

    def document(self) -> dict[str, Any]:
        """As JSON.

        Raises:
            ValueError: it holds several rollouts.
        """
        return {name: _plain(getattr(self, name), kind, name) for name, kind in _kinds(type(self)).items()}

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
        return cls(**{name: _read(given[name], kind, f"{where}.{name}") for name, kind in kinds.items()})


@dataclass(frozen=True)
class _ByName:
    """In place of a type: a mapping of states."""

    kind: type[State]


_Kind = Axes | _ByName | type[State]


def chosen(where: NDArray[np.bool_], one: Array, other: Array, *, axes: int = 0) -> Array:
    """One's numbers in the rollouts where it is asked for, the other's elsewhere; `axes`: the numbers' own."""
    return np.where(np.expand_dims(where, tuple(range(-axes, 0))), one, other)


_KNOWN: dict[type[State], Mapping[str, _Kind]] = {}


def _kinds(state: type[State]) -> Mapping[str, _Kind]:
    """What each field of a kind of state holds; hints are read once, not at every look."""
    if state not in _KNOWN:
        _KNOWN[state] = {name: _kind(hint) for name, hint in get_type_hints(state, include_extras=True).items()}
    return _KNOWN[state]


def _kind(hint: Any) -> _Kind:
    if isinstance(hint, type) and issubclass(hint, State):
        return hint
    if get_origin(hint) is Mapping:
        return _ByName(get_args(hint)[1])
    axes: Axes = get_args(hint)[1] if get_origin(hint) is Annotated else Axes(())
    return axes


def _plain(value: Any, kind: _Kind, name: str) -> Any:
    if isinstance(kind, _ByName):
        return {one: state.document() for one, state in value.items()}
    if not isinstance(kind, Axes):
        return value.document()
    if value.ndim != len(kind.lengths):
        raise ValueError(f"{name} holds several rollouts: only the state of one can be written")
    return _dense(value.tolist())


def _read(value: object, kind: _Kind, where: str) -> Any:
    if isinstance(kind, _ByName):
        states = mapping(value, where)
        if len(states) > MOST_NAMES:
            raise UnreadableError(f"{where}: expected at most {MOST_NAMES} names, found {len(states)}")
        return {name: kind.kind.of_document(one, f"{where}.{name}") for name, one in states.items()}
    if not isinstance(kind, Axes):
        return kind.of_document(value, where)
    return np.asarray(_checked(value, kind.lengths, kind.least, where), dtype=np.float64)


def mapping(value: object, where: str, expected: Collection[str] | None = None) -> Mapping[str, Any]:
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


def _dense(value: Any) -> Any:
    """Whole numbers without their `.0`: a document is written at every look."""
    if isinstance(value, list):
        return [_dense(item) for item in value]
    return int(value) if value == math.floor(value) else value


def _checked(value: object, shape: tuple[int, ...], least: float, where: str) -> float | list[Any]:
    if not shape:
        return number(value, where, least=least)
    if not isinstance(value, list):
        raise UnreadableError(f"{where}: expected a list, found {type(value).__name__}")
    length = shape[0]
    if (length != ANY and len(value) != length) or not 0 < len(value) <= max(length, LONGEST):
        raise UnreadableError(f"{where}: expected {length if length != ANY else f'1 to {LONGEST}'} items")
    items = [_checked(item, shape[1:], least, f"{where}[{index}]") for index, item in enumerate(value)]
    lengths = {len(cast("list[Any]", item)) for item in items} if len(shape) > 1 else set()
    if len(lengths) > 1:
        raise UnreadableError(f"{where}: expected lists of equal length")
    return items
