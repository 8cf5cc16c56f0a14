"""What the server counts (`schemas/metrics.yaml`, component onnx-server)."""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

PROTOCOLS = ("v1", "v2", "plain")
CODES = (200, 400, 404, 408, 413, 415, 429, 500, 503)
REASONS = ("malformed", "not_found", "timeout", "too_large", "media_type", "overloaded", "not_ready")
OUTCOMES = ("sent", "dropped", "failed", "sampled_out")
BUCKETS = (
    0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds in seconds. A latency threshold of a release gate has to be one of them, so they lie close together."""


class Metrics:
    """All families, with every series of the served version bound once so that counting costs no look-up."""

    def __init__(self, registry: CollectorRegistry, *, model: str, version: str, in_flight: Callable[[], int]) -> None:
        """Registers the families and starts their counters at 0.

        Args:
            registry: where to.
            model: label of every series.
            version: label until `loaded` says another.
            in_flight: the number of requests being answered, asked at every scrape.
        """
        disable_created_metrics()  # type: ignore[no-untyped-call] # untyped there
        labels = ("model", "version")
        self._model = model
        self._in_flight_now = in_flight
        self._requests = Counter(
            "leeway_inference_requests",
            "Answered inference requests.",
            (*labels, "protocol", "code"),
            registry=registry,
        )
        self._duration = Histogram(
            "leeway_inference_request_duration_seconds",
            "Time from the head of a request to the last byte of its answer, for requests that got a prediction.",
            labels,
            buckets=BUCKETS,
            registry=registry,
        )
        self._rows = Counter("leeway_inference_rows", "Rows predicted.", labels, registry=registry)
        self._in_flight = Gauge("leeway_inference_in_flight", "Requests being answered.", labels, registry=registry)
        self._rejected = Counter(
            "leeway_inference_rejected",
            "Requests refused before the model ran.",
            (*labels, "reason"),
            registry=registry,
        )
        self._events = Counter(
            "leeway_inference_capture_events",
            "Events of inferences for the drift detector by what became of them.",
            (*labels, "outcome"),
            registry=registry,
        )
        self._info = Gauge(
            "leeway_inference_model_info", "1 for the model that is loaded.", (*labels, "digest"), registry=registry
        )
        self._load_seconds = Gauge(
            "leeway_inference_model_load_seconds", "Time from start to ready.", labels, registry=registry
        )
        self._bind(version)

    def _bind(self, version: str) -> None:
        """Starts the series of `version` at 0 and forgets those of any other."""
        self._version = version
        for family in (self._requests, self._duration, self._rows, self._in_flight, self._rejected, self._events):
            family.clear()
        model = self._model
        self._requests_by: Mapping[tuple[str, int], Counter] = {
            (protocol, code): self._requests.labels(model, version, protocol, str(code))
            for protocol in PROTOCOLS
            for code in CODES
        }
        self._rejected_by = {reason: self._rejected.labels(model, version, reason) for reason in REASONS}
        self._events_by = {outcome: self._events.labels(model, version, outcome) for outcome in OUTCOMES}
        self._duration_of = self._duration.labels(model, version)
        self._rows_of = self._rows.labels(model, version)
        self._in_flight.labels(model, version).set_function(lambda: float(self._in_flight_now()))

    def loaded(self, *, version: str, digest: str | None, seconds: float) -> None:
        """Says which model is loaded, `seconds` after the start of the server."""
        if version != self._version:
            self._bind(version)
        self._info.labels(self._model, version, digest or "").set(1)
        self._load_seconds.labels(self._model, version).set(seconds)

    def predicted(self, protocol: str, *, rows: int, seconds: float) -> None:
        """Counts a request that got a prediction."""
        self._requests_by[protocol, 200].inc()
        self._rows_of.inc(rows)
        self._duration_of.observe(seconds)

    def refused(self, protocol: str, *, code: int, reason: str) -> None:
        """Counts a request that was refused on purpose."""
        self._requests_by[protocol, code].inc()
        self._rejected_by[reason].inc()

    def failed(self, protocol: str) -> None:
        """Counts a request that met a fault of ours."""
        self._requests_by[protocol, 500].inc()

    def captured(self, outcome: str, events: int) -> None:
        """Counts events for the drift detector; from any thread."""
        self._events_by[outcome].inc(events)
