"""Metrics, read off what the engine published last; ``schemas/metrics.yaml`` lists them."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leeway_drift.counting.counts import ColumnCounts, Counts
from leeway_drift.detectors.interface import Verdict
from leeway_drift.reading.events import Stream
from leeway_drift.service.alibi import AlibiBackend
from leeway_drift.service.scores import Score
from leeway_drift.service.status import judged_with_concept
from leeway_drift.service.views import View, Views
from leeway_drift.streaming.judging import Judged, Said, Timed
from leeway_drift.streaming.streams import Outcome

if TYPE_CHECKING:
    from leeway_drift.service.sharing import SharingThread

MAX_FEATURES = 100
"""Features of a version that get series of their own, in the profile's order; and as many outputs."""

DISTANCES = frozenset({"ks", "tvd", "psi", "js", "wasserstein"})
"""Statistics that are distances of distributions."""

_VERSION = ("namespace", "model", "version")
_GAUGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "window_rows": ("Rows in the open window.", ()),
    "window_end_timestamp_seconds": ("Event time at which the window that was judged last ended.", ("detector",)),
    "feature_missing_ratio": ("Share of missing values in the latest rows.", ("feature",)),
    "feature_unseen_ratio": ("Share of values of the latest rows that are not among the categories.", ("feature",)),
    "feature_out_of_range_ratio": ("Share of numbers of the latest rows that are out of bounds.", ("feature",)),
    "feature_top_value_ratio": ("Most that the most frequent value's share can be in the latest rows.", ("feature",)),
    "feature_distance": (
        "Distance of a feature's last window from its reference.",
        ("feature", "statistic", "reference"),
    ),
    "feature_score_ratio": ("Score of a feature over its threshold.", ("feature", "detector", "reference")),
    "prediction_distance": (
        "Distance of an output's last window from its reference.",
        ("output", "statistic", "reference"),
    ),
    "score_ratio": ("Score of a detector's last window over its threshold.", ("detector", "reference")),
    "detected": ("1 while a detector has an alarm.", ("detector", "reference")),
    "insufficient": ("1 while a detector cannot judge.", ("detector", "reference")),
    "coverage_ratio": ("Rows seen over rows served in the same minutes.", ()),
    "profile_info": ("1 for the profile that the version is judged by.", ("method", "digest")),
}


def evaluation_timer(registry: CollectorRegistry, clock: Callable[[], float]) -> Timed:
    """Runs a judgement and notes how long it took.

    Args:
        registry: gets the histogram.
        clock: monotonic seconds.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call] # untyped there
    durations = Histogram(
        "leeway_drift_evaluation_duration_seconds",
        "Time a detector takes to judge a window.",
        ["detector"],
        buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0),
        registry=registry,
    )

    def timed(detector: str, judge: Callable[[], Said], /) -> Said:
        began = clock()
        try:
            return judge()
        finally:
            durations.labels(detector).observe(clock() - began)

    return timed


class DetectorCollector(Collector):
    """What is known of all streams; a stream that is forgotten takes its series along, and drills have none.

    What is not known is absent, not 0.

    Args:
        views: what was published last; called by the scraping thread, as is
        scores: what labels say.
    """

    def __init__(self, views: Callable[[], Views], scores: Callable[[], Mapping[Stream, Score]]) -> None:
        self._views = views
        self._scores = scores

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        views, scores = self._views(), self._scores()
        yield _events(views)
        gauges = {
            name: GaugeMetricFamily(f"leeway_drift_{name}", text, labels=[*_VERSION, *labels])
            for name, (text, labels) in _GAUGES.items()
        }
        for stream, view in views.streams.items() if views.sharing.evaluates else ():
            for name, labels, value in _once(_values(view, scores.get(stream))):
                if math.isfinite(value):
                    gauges[name].add_metric([stream.namespace, stream.model, stream.version, *labels], value)
        yield from gauges.values()
        yield GaugeMetricFamily(
            "leeway_drift_queue_depth", "Events and batches accepted and not yet decoded.", value=views.backlog
        )
        refused = views.unattributed.get(Outcome.REFUSED, 0)
        yield CounterMetricFamily(
            "leeway_drift_streams_refused", "Events of streams that were one too many.", value=refused
        )
        if views.saved is not None:
            yield GaugeMetricFamily(
                "leeway_drift_snapshot_timestamp_seconds", "When the state was last saved.", value=views.saved
            )


def _events(views: Views) -> Metric:
    events = CounterMetricFamily(
        "leeway_drift_events", "Events by what became of them.", labels=[*_VERSION, "type", "outcome"]
    )
    for outcome, count in views.unattributed.items():
        events.add_metric(["", "", "", "", outcome], count)
    for stream, view in views.streams.items():
        for (kind, outcome), count in view.outcomes.items():
            events.add_metric([stream.namespace, stream.model, stream.version, kind, outcome], count)
    return events


Value = tuple[str, tuple[str, ...], float]
"""Name of a gauge, its labels beside the version's, and its value."""


def _once(values: Iterable[Value]) -> Iterator[Value]:
    """The first of each series: two detectors measure some of the distances, and a series can have one value."""
    told: set[tuple[str, tuple[str, ...]]] = set()
    for name, labels, value in values:
        if (name, labels) not in told:
            told.add((name, labels))
            yield name, labels, value


def _values(view: View, score: Score | None) -> Iterator[Value]:
    if view.open is not None:
        yield "window_rows", (), 0 if view.open.counts is None else view.open.counts.rows
    if view.coverage is not None:
        yield "coverage_ratio", (), view.coverage
    loaded = view.profile.loaded
    if loaded is not None:
        yield "profile_info", (loaded.profile.method, loaded.digest), 1
        if view.sliding is not None and not view.silent:
            yield from _quality(view.sliding.counts)
    outputs = () if loaded is None else tuple(loaded.profile.outputs)[:MAX_FEATURES]
    # Versions that nobody sends anything to any more are many, and their features most of all series.
    features = () if loaded is None or view.silent else tuple(loaded.profile.features)[:MAX_FEATURES]
    ends: dict[str, float] = {}
    for (detector, reference), judged in judged_with_concept(view, score).items():
        yield "detected", (detector, reference), judged.detected
        yield "insufficient", (detector, reference), judged.judgement.verdict is Verdict.INSUFFICIENT
        if judged.judgement.score_ratio is not None:
            yield "score_ratio", (detector, reference), judged.judgement.score_ratio
        if judged.window is not None:
            ends[detector] = max(ends.get(detector, 0.0), judged.window[1].timestamp())
        yield from _columns(judged, frozenset(features), frozenset(outputs))
    for detector, end in ends.items():
        yield "window_end_timestamp_seconds", (detector,), end


def _quality(counts: Counts) -> Iterator[Value]:
    for name, column in list(counts.features.items())[:MAX_FEATURES]:
        if column.total:
            yield "feature_missing_ratio", (name,), (column.nulls + column.wrong) / column.total
        if column.present:
            yield "feature_top_value_ratio", (name,), column.top / column.present
            yield from _unexpected(name, column)


def _unexpected(name: str, column: ColumnCounts) -> Iterator[Value]:
    if column.buckets.size:
        yield "feature_out_of_range_ratio", (name,), column.outside / column.present
    else:
        yield "feature_unseen_ratio", (name,), int(column.bins[-1]) / column.present


def _columns(judged: Judged, features: frozenset[str], outputs: frozenset[str]) -> Iterator[Value]:
    judgement = judged.judgement
    for column in judgement.columns:
        distances = [(name, value) for name, value in column.statistics.items() if name in DISTANCES]
        if column.name in outputs:
            for statistic, value in distances:
                yield "prediction_distance", (column.name, statistic, judgement.reference), value
        elif column.name in features:
            for statistic, value in distances:
                yield "feature_distance", (column.name, statistic, judgement.reference), value
            if column.score_ratio is not None:
                labels = (column.name, judgement.detector, judgement.reference)
                yield "feature_score_ratio", labels, column.score_ratio


class SharingCollector(Collector):
    """One replica of those that share their counts.

    Args:
        sharing: of this replica.
        views: what was published last.
    """

    def __init__(self, sharing: "SharingThread", views: Callable[[], Views]) -> None:
        self._sharing = sharing
        self._views = views

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        yield GaugeMetricFamily(
            "leeway_drift_evaluating",
            "1 for the replica whose windows and verdicts count.",
            value=self._views().sharing.evaluates,
        )
        yield GaugeMetricFamily(
            "leeway_drift_shared_up",
            "1 while the counts that replicas share can be reached.",
            value=self._sharing.reachable,
        )
        parts = CounterMetricFamily(
            "leeway_drift_shared_parts", "Counts of a version's tick by what became of them.", labels=["outcome"]
        )
        for outcome, count in self._sharing.outcomes.items():
            parts.add_metric([outcome], count)
        parts.add_metric(["unreadable"], self._sharing.evaluation.unreadable)
        yield parts


class WorkerCollector(Collector):
    """The worker process of the Alibi-Detect backend.

    Args:
        backend: whose worker it is.
    """

    def __init__(self, backend: AlibiBackend) -> None:
        self._backend = backend

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        yield GaugeMetricFamily(
            "leeway_drift_worker_up",
            "1 while the worker runs; it rests before the first window and after idle minutes.",
            value=self._backend.alive,
        )
        yield CounterMetricFamily(
            "leeway_drift_worker_restarts",
            "Starts of the worker that followed its death.",
            value=self._backend.restarts,
        )
