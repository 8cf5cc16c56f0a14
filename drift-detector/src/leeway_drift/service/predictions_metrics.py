"""Metrics of the prediction log, read off it when scraped; ``schemas/metrics.yaml`` lists them."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from leeway_drift.reading.events import Stream
from leeway_drift.service.predictions import PredictionLog
from leeway_drift.service.tallies import DELAY_BUCKETS, Tally

_VERSION = ["namespace", "model", "version"]


class PredictionsCollector(Collector):
    """What became of predictions and labels, and how well the versions predict; what is not known has no series.

    Args:
        log: whose counts are exposed.
    """

    def __init__(self, log: PredictionLog) -> None:
        self._log = log

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        tallies = self._log.tallies.versions()
        yield from self._counts(tallies)
        yield from self._scores(tallies)

    def _counts(self, tallies: dict[Stream, Tally]) -> Iterator[Metric]:
        predictions = CounterMetricFamily(
            "leeway_drift_predictions",
            "Predicted rows by what became of them in the store.",
            labels=[*_VERSION, "outcome"],
        )
        labels = CounterMetricFamily(
            "leeway_drift_labels",
            "Labels by what became of them; those that were joined with no prediction belong to no version.",
            labels=[*_VERSION, "outcome"],
        )
        delays = HistogramMetricFamily(
            "leeway_drift_label_delay_seconds", "Time from a prediction to its first label.", labels=_VERSION
        )
        for outcome, count in self._log.tallies.unjoined().items():
            labels.add_metric(["", "", "", outcome], count)
        for version, tally in tallies.items():
            values = _labels(version)
            for kept, rows in tally.predictions.items():
                predictions.add_metric([*values, kept], rows)
            for outcome, count in tally.labels.items():
                labels.add_metric([*values, outcome], count)
            delays.add_metric(values, _buckets(tally), tally.delay_sum)
        yield predictions
        yield labels
        yield delays

    def _scores(self, tallies: dict[Stream, Tally]) -> Iterator[Metric]:
        coverage = GaugeMetricFamily(
            "leeway_drift_label_coverage_ratio",
            "Labels per stored prediction that is old enough to have one.",
            labels=_VERSION,
        )
        performance = GaugeMetricFamily(
            "leeway_drift_performance",
            "How well the newest labelled predictions were, by metric.",
            labels=[*_VERSION, "metric"],
        )
        gap = GaugeMetricFamily(
            "leeway_drift_calibration_gap_ratio",
            "Calibration gap of the last judged window over what the training period allows; 1 is the limit.",
            labels=_VERSION,
        )
        for version, score in self._log.scores.latest().items():
            if version not in tallies:
                continue
            values = _labels(version)
            if score.performance.coverage is not None:
                coverage.add_metric(values, score.performance.coverage)
            for metric, value in score.performance.metrics.items():
                performance.add_metric([*values, metric], value)
            if score.calibration_gap_ratio is not None:
                gap.add_metric(values, score.calibration_gap_ratio)
        yield coverage
        yield performance
        yield gap


def _labels(version: Stream) -> list[str]:
    return [version.namespace, version.model, version.version]


def _buckets(tally: Tally) -> list[tuple[str, float]]:
    cumulative = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, DELAY_BUCKETS), "+Inf"), tally.delays, strict=True):
        cumulative += count
        buckets.append((bound, cumulative))
    return buckets
