"""A drift profile as the detector uses it: read from its document, every part checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self

from leeway_drift.counting.counts import ColumnCounts, ColumnPlan, Counts, Integers, Plan, RelationPlan
from leeway_drift.profile.calibrate import Threshold
from leeway_drift.profile.parse import (
    MAX_COLUMNS,
    Node,
    parse_columns,
    parse_faults,
    parse_performance,
    parse_relations,
    parse_thresholds,
)
from leeway_drift.statistics.association import chance_information
from leeway_drift.statistics.distances import chance_distance
from leeway_drift.statistics.max_t import Spread
from leeway_drift.statistics.scoring import Scored, Scoring

SCHEMA_VERSION = 2

FLOORS: Mapping[str, float] = {"psi": 0.25, "js": 0.2, "wasserstein": 0.25, "ks": 0.1, "tvd": 0.1, "surprise": 0.1}
"""Thresholds of a profile that is not calibrated: conventional values, which say nothing about false alarms.

They are for what goes beyond chance: as many rows as a window has differ from their own source, too.

``js`` is where that of a small shift stands when its ``psi`` is 0.25: ``sqrt(psi / (8 ln 2))``.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """What a profile knows of a feature or output.

    Attributes:
        plan: how it is counted.
        counts: int64 ``[plan.size]`` of the reference.
        nulls: missing values of the reference.
        scale: standard deviation of a numeric column in the reference, 0 of a categorical one.
        limits: largest tolerated ratio by kind of fault; 1 is the whole column.
        monitored: False for a context feature, whose data quality alone is judged.
    """

    plan: ColumnPlan
    counts: Integers
    nulls: int
    scale: float
    limits: Mapping[str, float]
    monitored: bool

    @property
    def numeric(self) -> bool:
        """Whether it is counted by edges."""
        return self.plan.edges is not None


@dataclass(frozen=True)
class Profile:
    """The reference of a version.

    Attributes:
        rows: of the reference.
        span: its first and last time, None if it has none.
        window_rows: rows that a window has at least.
        window_seconds: seconds that a window lasts at least.
        method: ``time-blocks``, or ``none`` if no threshold is calibrated.
        target_false_alarms_per_30_days: of all calibrated detectors together; None if none is.
        windows: of the reference, on which the thresholds were calibrated.
        features: by name.
        outputs: by name.
        relations: reference tables by ``left~right``.
        thresholds: by ``detector/reference``; empty if none is calibrated.
        performance: per metric ``mean``, ``sd`` and ``windows`` over windows of the reference.
        faults: what was replayed on the reference and which detectors saw it, as the document has it.
        plan: how rows are counted.
    """

    rows: int
    span: tuple[datetime, datetime] | None
    window_rows: int
    window_seconds: float
    method: str
    target_false_alarms_per_30_days: float | None
    windows: int
    features: Mapping[str, Column]
    outputs: Mapping[str, Column]
    relations: Mapping[str, Integers]
    thresholds: Mapping[str, Threshold]
    performance: Mapping[str, Mapping[str, float]]
    faults: tuple[Mapping[str, Any], ...]
    plan: Plan

    @classmethod
    def parse(cls, document: object) -> Self:
        """Read a ``drift-profile.json``.

        Raises:
            ProfileError: it is none, or one of another schema version; the message names the place.
        """
        root = Node("profile", document)
        root["schema_version"].constant(SCHEMA_VERSION)
        features = parse_columns(root["features"], frozenset(root["context"].strings(MAX_COLUMNS)))
        outputs = parse_columns(root["outputs"], frozenset())
        relation_plans: dict[str, RelationPlan] = {}
        tables: dict[str, Integers] = {}
        plans = {name: column["plan"] for name, column in features.items()}
        for plan, table in parse_relations(root["relations"], plans):
            relation_plans[f"{plan.left}~{plan.right}"] = plan
            tables[f"{plan.left}~{plan.right}"] = table
        calibration = root["calibration"]
        method = calibration["method"].one_of("time-blocks", "none")
        calibrated = method == "time-blocks"
        return cls(
            rows=root["rows"].natural(),
            span=None if root["time_span"].value is None else root["time_span"].span(),
            window_rows=root["window"]["rows"].natural(),
            window_seconds=root["window"]["seconds"].positive(),
            method=method,
            target_false_alarms_per_30_days=(
                calibration["target_false_alarms_per_30_days"].positive() if calibrated else None
            ),
            windows=calibration["windows"].natural(),
            features={name: Column(**column) for name, column in features.items()},
            outputs={name: Column(**column) for name, column in outputs.items()},
            relations=tables,
            thresholds=parse_thresholds(calibration["detectors"]) if calibrated else {},
            performance=parse_performance(root["performance"]),
            faults=parse_faults(root["faults"]),
            plan=Plan(plans, {name: column["plan"] for name, column in outputs.items()}, relation_plans),
        )

    @property
    def calibrated(self) -> bool:
        """Whether thresholds were calibrated on time-ordered windows; if not, nothing may page."""
        return self.method == "time-blocks"

    @cached_property
    def scored(self) -> Scored:
        """The columns that are scored."""
        columns = {**self.features, **self.outputs}
        return Scored(
            self.plan,
            {name: column.scale for name, column in columns.items()},
            frozenset(name for name, column in self.features.items() if not column.monitored),
        )

    @cached_property
    def reference(self) -> Counts:
        """Counts of the whole reference, without what only windows have (sums outside and buckets)."""

        def counted(columns: Mapping[str, Column]) -> dict[str, ColumnCounts]:
            nothing = {name: ColumnCounts.none(column.plan) for name, column in columns.items()}
            return {
                name: ColumnCounts(column.counts, column.nulls, 0, 0, 0, 0, nothing[name].buckets)
                for name, column in columns.items()
            }

        return Counts(self.rows, self.rows, counted(self.features), counted(self.outputs), self.relations)

    def threshold(self, scoring: Scoring) -> Threshold | None:
        """The threshold of a detector: as calibrated, else conventional; None if it has no column to score."""
        if self.calibrated:
            return self.thresholds.get(scoring.key)
        # The more bins and the fewer rows, the more is chance; only what goes beyond it is held to the floor.
        rows = self.window_rows
        if scoring.over == "relations":
            usual = {
                (name, statistic): chance_information(table.shape, rows)
                for name, table in self.relations.items()
                for statistic in scoring.numeric
            }
        else:
            usual = {
                (name, statistic): chance_distance(statistic, plan.size, rows)
                for name, plan in self.scored.columns(scoring)
                for statistic in (scoring.categorical if plan.edges is None else scoring.numeric)
            }
        if not usual:
            return None
        spreads = {key: Spread(median, FLOORS[key[1]]) for key, median in usual.items()}
        return Threshold(spreads, 1.0, 0, math.nan, None)
