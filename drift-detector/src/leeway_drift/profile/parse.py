"""Reading the parts of a profile's document; whatever is not as expected is named with its place."""

import math
import reprlib
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

MAX_COLUMNS = 1000
"""Features, and outputs, of a profile: each is counted in every tick, and whoever serves a model brings its profile."""

_MAX_RELATIONS = 100
_MAX_FAULTS = 20 * MAX_COLUMNS
_MAX_KINDS = 20  # of limits, statistics, metrics, detectors: there are fewer of each
_MAX_NAME = 256
_MAX_BINS = 65
_MAX_COUNT = 2**53
_LEAST_SCALE = 1e-9  # of the edges' range; one value of 10^16 that differs makes 1e-8
_LEAST_SPREAD = 1e-6  # smaller ones make ratios that are no numbers any more
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

    def items(self, most: int) -> Iterator[tuple[str, "Node"]]:
        """Names and values of an object of so many at most."""
        values = self.mapping()
        if len(values) > most:
            raise ProfileError(f"{self.where}: {len(values)} names, expected at most {most}")
        for name in values:
            if not isinstance(name, str) or len(name) > _MAX_NAME or not _is_text(name):
                raise ProfileError(f"{self.where}: name {_shown(name)}, expected at most {_MAX_NAME} characters")
        return ((name, self[name]) for name in values)

    def elements(self, most: int) -> Iterator["Node"]:
        """Elements of a list of so many at most."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        if len(self.value) > most:
            raise ProfileError(f"{self.where}: {len(self.value)} elements, expected at most {most}")
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
        """A string that UTF-8 can carry: half of a surrogate pair would break every answer that tells it."""
        if not isinstance(self.value, str) or not _is_text(self.value):
            raise self.wrong("a string that UTF-8 can carry")
        return self.value

    def strings(self, most: int) -> list[str]:
        """A list of so many strings at most."""
        return [element.string() for element in self.elements(most)]

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise self.wrong("a finite number")
        if not -_LARGEST_NUMBER <= self.value <= _LARGEST_NUMBER:  # NaN, and integers that no float holds, included
            raise self.wrong("a finite number")
        return float(self.value)

    def positive(self, least: float = 0.0) -> float:
        """A number of at least that."""
        if (number := self.number()) < least:
            raise self.wrong(f"a number of at least {least:g}")
        return number

    def share(self) -> float:
        """A number from 0 to 1."""
        if not 0 <= (number := self.number()) <= 1:
            raise self.wrong("a number from 0 to 1")
        return number

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

    def naturals(self, size: int) -> Integers:
        """A list of so many counts."""
        values = [element.natural() for element in self.elements(_MAX_BINS)]
        if len(values) != size:
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
        return ProfileError(f"{self.where}: {_shown(self.value)}, expected {expected}")


def _shown(value: object) -> str:
    """A little of a value, however large or deep it is; ``repr`` alone would write out all of it first."""
    return f"{reprlib.repr(value):.80}"


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_columns(node: Node, context: frozenset[str]) -> dict[str, dict[str, Any]]:
    """Columns by name, each as the keyword arguments of ``Column``."""
    columns = {}
    for name, column in node.items(MAX_COLUMNS):
        numeric = column["kind"].one_of("numeric", "categorical") == "numeric"
        plan = _numeric_plan(column) if numeric else _categorical_plan(column)
        columns[name] = {
            "plan": plan,
            "counts": column["counts"].naturals(plan.size),
            "nulls": column["nulls"].natural(),
            "scale": _scale(column["scale"], plan) if numeric else 0.0,
            "limits": {key: limit.share() for key, limit in column["limits"].items(_MAX_KINDS)},
            "monitored": name not in context,
        }
    return columns


def _numeric_plan(column: Node) -> ColumnPlan:
    edges = np.array([edge.float32() for edge in column["edges"].elements(_MAX_BINS - 1)], dtype=np.float32)
    if not np.all(edges[:-1] < edges[1:]):
        raise column["edges"].wrong("strictly increasing float32 values")
    bounds = [bound.float32() for bound in column["bounds"].elements(2)]
    if len(bounds) == 1 or bounds != sorted(bounds):
        raise column["bounds"].wrong("a smallest and a largest value, or none")
    return ColumnPlan(edges, bounds=(bounds[0], bounds[1]) if bounds else (-math.inf, math.inf))


def _scale(node: Node, plan: ColumnPlan) -> float:
    """A standard deviation; one too small for values as far apart as the edges would make distances infinite."""
    scale, edges = node.positive(), plan.edges
    if edges is not None and edges.size and 0 < scale < _LEAST_SCALE * (float(edges[-1]) - float(edges[0])):
        raise node.wrong("0, or the standard deviation of values as far apart as the edges")
    return scale


def _categorical_plan(column: Node) -> ColumnPlan:
    categories = tuple(column["categories"].strings(_MAX_BINS - 1))
    if len(set(categories)) < len(categories):
        raise column["categories"].wrong("different strings")
    return ColumnPlan(categories=categories)


def parse_relations(node: Node, plans: Mapping[str, ColumnPlan]) -> Iterator[tuple[RelationPlan, Integers]]:
    """Relations with their reference tables."""
    for relation in node.elements(_MAX_RELATIONS):
        names = [relation[side].string() for side in ("left", "right")]
        groups = []
        for side, name in zip(("left", "right"), names, strict=True):
            if name not in plans:
                raise relation[side].wrong("the name of a feature")
            values = relation[f"{side}_groups"].naturals(plans[name].size)
            found = np.unique(values)
            if not np.array_equal(found, np.arange(found.size)):
                raise relation[f"{side}_groups"].wrong("groups numbered from 0 without a gap")
            groups.append(values)
        plan = RelationPlan(names[0], names[1], groups[0], groups[1])
        rows = [row.naturals(plan.shape[1]) for row in relation["counts"].elements(_MAX_BINS)]
        if len(rows) != plan.shape[0]:
            raise relation["counts"].wrong(f"{plan.shape[0]} rows of counts")
        yield plan, np.stack(rows)


def parse_thresholds(node: Node) -> dict[str, Threshold]:
    """Thresholds by ``detector/reference``."""
    thresholds = {}
    for key, detector in node.items(_MAX_KINDS):
        spreads = {}
        for name, column in detector["columns"].items(MAX_COLUMNS + _MAX_RELATIONS):
            for statistic, spread in column.items(_MAX_KINDS):
                above = spread["above"].positive(_LEAST_SPREAD)
                spreads[name, statistic] = Spread(spread["median"].float32(), above)
        half_to_half = detector["half_to_half"]
        thresholds[key] = Threshold(
            spreads,
            detector["threshold"].positive(_LEAST_SPREAD),
            detector["windows"].natural(),
            detector["achieved"].share(),
            None if half_to_half.value is None else half_to_half.share(),
        )
    return thresholds


def parse_performance(node: Node) -> dict[str, dict[str, float]]:
    """``mean``, ``sd`` and ``windows`` by metric."""
    return {
        name: {
            "mean": metric["mean"].number(),
            "sd": metric["sd"].positive(),
            "windows": float(metric["windows"].natural()),
        }
        for name, metric in node.items(_MAX_KINDS)
    }


def parse_faults(node: Node) -> tuple[Mapping[str, Any], ...]:
    """Faults that were replayed, as the document has them."""
    return tuple(
        {
            "fault": fault["fault"].string(),
            "column": fault["column"].string(),
            "starts": fault["starts"].natural(),
            "seen": fault["seen"].natural(),
            "detectors": {key: seen.natural() for key, seen in fault["detectors"].items(_MAX_KINDS)},
        }
        for fault in node.elements(_MAX_FAULTS)
    )
