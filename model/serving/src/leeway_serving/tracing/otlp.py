"""Traces by OpenTelemetry's SDK, to a collector over HTTP. Imported only where one is named."""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from socket import gethostname

from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import Tracer as Recorder

from leeway_serving import __version__
from leeway_serving.logs import COMPONENT
from leeway_serving.tracing.parent import is_traced, parent_of
from leeway_serving.tracing.trace import UNTRACED, Attributes, Trace

_EXPORT_SECONDS = 5
"""For one batch, with all attempts."""
_QUEUED_SPANS = 2048
_BATCH_SPANS = 512
_BATCH_MILLISECONDS = 1000
_log = logging.getLogger(__name__)


class OtlpTracer:
    """Traces a share of the requests, and hands them to a provider."""

    def __init__(
        self,
        provider: TracerProvider,
        sample_ratio: float,
        attributes: Attributes,
        *,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Nothing is sent before a traced request has ended.

        Args:
            provider: makes the spans.
            sample_ratio: share of the requests to trace.
            attributes: of every request's span.
            draw: a number of [0, 1) at random.
            clock: the time of day, in nanoseconds since the epoch.
        """
        self._recorder = provider.get_tracer("leeway_serving", __version__)
        self._sample_ratio = sample_ratio
        self._attributes = attributes
        self._draw = draw
        self._clock = clock

    def begin(self, name: str, traceparent: bytes | None, waited: float) -> Trace:
        """As `Tracer` says."""
        parent = parent_of(traceparent)
        if not is_traced(parent, self._draw(), self._sample_ratio):
            return UNTRACED
        context = None
        if parent is not None:
            sender = SpanContext(
                parent.trace_id, parent.span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
            )
            context = set_span_in_context(NonRecordingSpan(sender))
        received = self._clock() - round(waited * 1e9)
        span = self._recorder.start_span(name, context, SpanKind.SERVER, self._attributes, start_time=received)
        return _Recorded(self._recorder, span, received, self._clock)


class _Recorded:
    """A request that is traced. Of its stages only the times are taken; the spans are made when it is over."""

    def __init__(self, recorder: Recorder, span: Span, received: int, clock: Callable[[], int]) -> None:
        context = span.get_span_context()
        self.id = f"{context.trace_id:032x}"
        self.traceparent = f"00-{self.id}-{context.span_id:016x}-01"
        self._recorder = recorder
        self._span = span
        self._clock = clock
        self._stages = [("wait", received)]

    def enter(self, stage: str) -> None:
        """As `Trace` says."""
        self._stages.append((stage, self._clock()))

    def end(self, attributes: Attributes, *, failed: bool = False) -> None:
        """As `Trace` says."""
        now = self._clock()
        context = set_span_in_context(self._span)
        ends = [began for _, began in self._stages[1:]] + [now]
        for (stage, began), ended in zip(self._stages, ends, strict=True):
            self._recorder.start_span(stage, context, start_time=began).end(ended)
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(now)


class Export:
    """The way to a collector: a bounded queue that gives up its oldest spans, and a thread that sends them."""

    def __init__(self, endpoint: str) -> None:
        """Starts the thread; `endpoint` is the base address of the collector."""
        exporter = trace_exporter.OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        made_by = {"service.name": COMPONENT, "service.version": __version__, "service.instance.id": gethostname()}
        self._delivery = _Delivery(exporter)
        # Which requests are recorded was decided before the SDK hears of one.
        self.provider = TracerProvider(ALWAYS_ON, Resource.create(made_by), shutdown_on_exit=False)
        self.provider.add_span_processor(_Queue(self._delivery))

    def close(self, seconds: float) -> None:
        """Sends what is left, drops what cannot be sent within `seconds`, and says how much was lost in all."""
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
        """Takes a span, in the place of the oldest if it is full."""
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
        """Sends a batch; one that is not taken is lost."""
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
        """Gives up what is under way."""
        self._exporter.shutdown()
        logging.getLogger(trace_exporter.__name__).removeFilter(self._reason)


class _Reason(logging.Filter):
    """Keeps what the exporter says of a failure, which it tells nobody but the log, for the one line of it."""

    told = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Takes the line; the first one says most."""
        self.told = self.told or record.getMessage()
        return False
