"""Reading the parts of a profile's document; whatever is not as expected is named with its place."""

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from leeway_drift.counting.counts import ColumnPlan, Integers, RelationPlan
from leeway_drift.profile.calibrate import Threshold
from leeway_drift.profile.errors import ProfileError
from leeway_drift.statistics.max_t import Spread

_MAX_BINS = 65
_MAX_COUNT = 2**53
_LARGEST_NUMBER = sys.float_info.max
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the document and where it is.

    Attributes:
        where: its path, for messages.
        value: as JSON has it.
    """

    where: str
    value: object

    def __getitem__(self, key: str) -> "Node":
        values = self.mapping()
        if key not in values:
            raise ProfileError(f"{self.where}: lacks {key!r}")
        return Node(f"{self.where}.{key}", values[key])

    def mapping(self) -> dict[str, Any]:
        """An object."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return self.value

    def items(self) -> Iterator[tuple[str, "Node"]]:
        """Names and values of an object."""
        return ((name, self[name]) for name in self.mapping())

    def elements(self) -> Iterator["Node"]:
        """Elements of a list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return (Node(f"{self.where}[{index}]", value) for index, value in enumerate(self.value))

    def constant(self, expected: object) -> None:
        """Exactly this."""
        if self.value != expected or type(self.value) is not type(expected):
            raise self.wrong(repr(expected))

    def one_of(self, *expected: str) -> str:
        """One of these strings."""
        if self.value not in expected:
            raise self.wrong(f"one of {', '.join(expected)}")
        return str(self.value)

    def string(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.wrong("a string")
        return self.value

    def strings(self) -> list[str]:
        """A list of strings."""
        return [element.string() for element in self.elements()]

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise self.wrong("a finite number")
        if not -_LARGEST_NUMBER <= self.value <= _LARGEST_NUMBER:  # NaN, and integers that no float holds, included
            raise self.wrong("a finite number")
        return float(self.value)

    def float32(self) -> float:
        """A finite number that a float32 can be close to."""
        if abs(number := self.number()) > _LARGEST_FLOAT32:
            raise self.wrong("a finite float32")
        return number

    def natural(self) -> int:
        """A count."""
        if type(self.value) is not int or not 0 <= self.value < _MAX_COUNT:
            raise self.wrong("a count")
        return self.value

    def naturals(self, size: int | None = None) -> Integers:
        """A list of counts."""
        values = [element.natural() for element in self.elements()]
        if size is not None and len(values) != size:
            raise ProfileError(f"{self.where}: {len(values)} counts, expected {size}")
        return np.array(values, dtype=np.int64)

    def span(self) -> tuple[datetime, datetime]:
        """Start and end in RFC 3339."""
        times = []
        for part in (self["start"], self["end"]):
            try:
                time = datetime.fromisoformat(part.string())
            except ValueError:
                raise part.wrong("a time in RFC 3339") from None
            if time.tzinfo is None:
                raise part.wrong("a time with its offset from UTC")
            times.append(time)
        return times[0], times[1]

    def wrong(self, expected: str) -> ProfileError:
        """The error that this is not as expected."""
        return ProfileError(f"{self.where}: {self.value!r:.80}, expected {expected}")


def parse_columns(node: Node, context: frozenset[str]) -> dict[str, dict[str, Any]]:
    """Columns by name, each as the keyword arguments of ``Column``."""
    columns = {}
    for name, column in node.items():
        numeric = column["kind"].one_of("numeric", "categorical") == "numeric"
        plan = _numeric_plan(column) if numeric else _categorical_plan(column)
        columns[name] = {
            "plan": plan,
            "counts": column["counts"].naturals(plan.size),
            "nulls": column["nulls"].natural(),
            "scale": column["scale"].number() if numeric else 0.0,
            "limits": {key: limit.number() for key, limit in column["limits"].items()},
            "monitored": name not in context,
        }
    return columns


def _numeric_plan(column: Node) -> ColumnPlan:
    edges = np.array([edge.float32() for edge in column["edges"].elements()], dtype=np.float32)
    if edges.size >= _MAX_BINS or not np.all(np.diff(edges) > 0):
        raise column["edges"].wrong(f"at most {_MAX_BINS - 1} strictly increasing float32 values")
    bounds = [bound.float32() for bound in column["bounds"].elements()]
    if len(bounds) not in (0, 2):
        raise column["bounds"].wrong("two numbers, or none")
    return ColumnPlan(edges, bounds=(bounds[0], bounds[1]) if bounds else (-math.inf, math.inf))


def _categorical_plan(column: Node) -> ColumnPlan:
    categories = tuple(column["categories"].strings())
    if len(categories) >= _MAX_BINS or len(set(categories)) < len(categories):
        raise column["categories"].wrong(f"at most {_MAX_BINS - 1} different strings")
    return ColumnPlan(categories=categories)


def parse_relations(node: Node, plans: Mapping[str, ColumnPlan]) -> Iterator[tuple[RelationPlan, Integers]]:
    """Relations with their reference tables."""
    for relation in node.elements():
        names = [relation[side].string() for side in ("left", "right")]
        groups = []
        for side, name in zip(("left", "right"), names, strict=True):
            if name not in plans:
                raise relation[side].wrong("the name of a feature")
            values = relation[f"{side}_groups"].naturals(plans[name].size)
            if not np.array_equal(np.unique(values), np.arange(np.unique(values).size)):
                raise relation[f"{side}_groups"].wrong("groups numbered from 0 without a gap")
            groups.append(values)
        plan = RelationPlan(names[0], names[1], groups[0], groups[1])
        rows = [row.naturals(plan.shape[1]) for row in relation["counts"].elements()]
        if len(rows) != plan.shape[0]:
            raise relation["counts"].wrong(f"{plan.shape[0]} rows of counts")
        yield plan, np.stack(rows)


def parse_thresholds(node: Node) -> dict[str, Threshold]:
    """Thresholds by ``detector/reference``."""
    thresholds = {}
    for key, detector in node.items():
        spreads = {}
        for name, column in detector["columns"].items():
            for statistic, spread in column.items():
                above = spread["above"].number()
                if above <= 0:
                    raise spread["above"].wrong("a number above 0")
                spreads[name, statistic] = Spread(spread["median"].number(), above)
        value = detector["threshold"].number()
        if value <= 0:
            raise detector["threshold"].wrong("a number above 0")
        thresholds[key] = Threshold(
            spreads,
            value,
            detector["windows"].natural(),
            detector["achieved"].number(),
            detector["half_to_half"].number(),
        )
    return thresholds
