"""Traces by OpenTelemetry's SDK, to a collector over HTTP. Imported only where one is named."""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from socket import gethostname

from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from leeway_drift.service.logs import COMPONENT
from leeway_drift.streaming.intake import Arrived
from leeway_drift.streaming.streams import Outcome
from leeway_drift.streaming.tracing import Ended

_EXPORT_SECONDS = 5
"""For one batch, with all attempts."""
_QUEUED_SPANS = 2048
_BATCH_SPANS = 512
_BATCH_MILLISECONDS = 1000
_VERSION = version("leeway-drift")

_log = logging.getLogger(__name__)


class EventTracer:
    """Traces the events of inferences that are traced, and hands them to a provider.

    The model server has decided, and its events name the inference's span or none. KServe's logger knows of no trace:
    of its inferences a share is traced here, from the request's event on.

    Args:
        provider: makes the spans.
        sample_ratio: share of the logger's inferences to trace.
        draw: a number of [0, 1) at random.
        clock: the time of day, in nanoseconds since the epoch.
    """

    def __init__(
        self,
        provider: TracerProvider,
        sample_ratio: float,
        *,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._recorder = provider.get_tracer("leeway_drift", _VERSION)
        self._sample_ratio = sample_ratio
        self._draw = draw
        self._clock = clock

    def __call__(self, event: Arrived) -> Ended | None:
        """Begin with an event whose turn has come, if it is traced."""
        envelope = event.envelope
        parent = None
        if envelope.traceparent is not None:
            _, trace_id, span_id, _ = envelope.traceparent.split("-")
            sender = SpanContext(
                int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
            )
            parent = set_span_in_context(NonRecordingSpan(sender))
        elif envelope.answered is not None or self._draw() >= self._sample_ratio:
            return None  # it comes from the server, or from the logger after a request that was not chosen
        attributes = {
            "leeway.namespace": envelope.stream.namespace,
            "leeway.model": envelope.stream.model,
            "leeway.version": envelope.stream.version,
            "leeway.event": str(envelope.kind),
        }
        if envelope.request_id is not None:
            attributes["leeway.request_id"] = envelope.request_id
        turn = self._clock()
        arrived = min(int(event.arrival * 1e9), turn)
        span = self._recorder.start_span(
            f"ingest {envelope.kind}", parent, SpanKind.CONSUMER, attributes, start_time=arrived
        )

        def ended(outcome: Outcome | None) -> None:
            now, below = self._clock(), set_span_in_context(span)
            self._recorder.start_span("wait", below, start_time=arrived).end(turn)
            self._recorder.start_span("process", below, start_time=turn).end(now)
            if outcome is not None:
                span.set_attribute("leeway.outcome", str(outcome))
            span.end(now)

        return ended


class Export:
    """The way to a collector: a bounded queue that gives up its oldest spans, and a thread that sends them."""

    def __init__(self, endpoint: str) -> None:
        """Start the thread; ``endpoint`` is the base address of the collector."""
        exporter = trace_exporter.OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        made_by = {"service.name": COMPONENT, "service.version": _VERSION, "service.instance.id": gethostname()}
        self._delivery = _Delivery(exporter)
        # Which events are recorded was decided before the SDK hears of one.
        self.provider = TracerProvider(ALWAYS_ON, Resource.create(made_by), shutdown_on_exit=False)
        self.provider.add_span_processor(_Queue(self._delivery))

    def close(self, seconds: float) -> None:
        """Send what is left, drop what cannot be sent within ``seconds``, and say how much was lost in all."""
        # A collector that hangs would keep the thread for longer, and it keeps no process from ending.
        closing = threading.Thread(target=self.provider.shutdown, name="tracing", daemon=True)
        closing.start()
        closing.join(seconds)
        recorded, taken = self._delivery.recorded, self._delivery.taken
        if taken < recorded:
            _log.warning("spans were lost", extra={"fields": {"recorded": recorded, "lost": recorded - taken}})


class _Queue(BatchSpanProcessor):
    """Has what it is given counted."""

    def __init__(self, delivery: "_Delivery") -> None:
        super().__init__(
            delivery,
            max_queue_size=_QUEUED_SPANS,
            schedule_delay_millis=_BATCH_MILLISECONDS,
            max_export_batch_size=_BATCH_SPANS,
        )
        self._delivery = delivery

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, in the place of the oldest if it is full."""
        self._delivery.recorded += 1
        super().on_end(span)


class _Delivery(SpanExporter):
    """Tells once, and not for each batch, that the collector stopped or began to take spans, or is too slow."""

    def __init__(self, exporter: SpanExporter) -> None:
        self.recorded = 0
        self.taken = 0
        self._exporter = exporter
        self._handed = 0
        self._too_slow = False
        self._lost = 0
        self._reason = _Reason()
        logging.getLogger(trace_exporter.__name__).addFilter(self._reason)
        # Of each span that the queue gives up it would make a line, where the span is made.
        logging.getLogger("opentelemetry.sdk").setLevel(logging.ERROR)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; one that is not taken is lost."""
        self._handed += len(spans)
        if not self._too_slow and self.recorded - self._handed > _QUEUED_SPANS:
            self._too_slow = True
            _log.warning("spans are given up, as more are made than are taken")
        self._reason.told = ""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                _log.warning("spans are not taken", extra={"error": self._reason.told or "no reason was given"})
            self._lost += len(spans)
            return result
        self.taken += len(spans)
        if self._lost:
            _log.info("spans are taken again", extra={"fields": {"lost": self._lost}})
            self._lost = 0
        return result

    def shutdown(self) -> None:
        """Give up what is under way."""
        self._exporter.shutdown()
        logging.getLogger(trace_exporter.__name__).removeFilter(self._reason)


class _Reason(logging.Filter):
    """Keeps what the exporter says of a failure, which it tells nobody but the log, for the one line of it."""

    told = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the line; the first one says most."""
        self.told = self.told or record.getMessage()
        return False
