"""Metrics, read off the detector when scraped; ``schemas/metrics.yaml`` lists them."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leeway_drift.reading.events import Kind
from leeway_drift.streaming.detector import Detector


class DetectorCollector(Collector):
    """What a detector has counted; a stream that is forgotten takes its series along.

    Args:
        detector: read from the scraping thread; it copies before it iterates.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        events = CounterMetricFamily(
            "leeway_drift_events",
            "Logger events by what became of them.",
            labels=["namespace", "model", "version", "type", "outcome"],
        )
        rows = GaugeMetricFamily(
            "leeway_drift_window_rows", "Decoded rows in the open window.", labels=["namespace", "model", "version"]
        )
        for outcome, count in self._detector.unattributed.items():
            events.add_metric(["", "", "", "", outcome], count)
        for stream, state in self._detector.streams.items():
            labels = [stream.namespace, stream.model, stream.version]
            for (kind, outcome), count in state.outcomes.items():
                events.add_metric([*labels, kind, outcome], count)
            rows.add_metric(labels, state.windows[Kind.REQUEST].rows)
        yield events
        yield rows
        yield GaugeMetricFamily(
            "leeway_drift_queue_depth", "Events accepted and not yet decoded.", value=self._detector.backlog
        )
