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
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from leeway_operators.shell.logs import COMPONENT
from leeway_operators.shell.tracing import Attributes, Look

_EXPORT_SECONDS = 5
"""For one batch, with all attempts."""
_QUEUED_SPANS = 2048
_BATCH_SPANS = 512
_BATCH_MILLISECONDS = 1000
_VERSION = version("leeway-operators")

log = logging.getLogger(__name__)


class LookTracer:
    """Traces each look that did something or failed, and a share of the others."""

    def __init__(
        self,
        provider: TracerProvider,
        sample_ratio: float,
        *,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Take everything that touches the world as an argument.

        Args:
            provider: makes the spans.
            sample_ratio: share of the looks to trace that found nothing to do.
            draw: a number of [0, 1) at random.
            clock: the time of day, in nanoseconds since the epoch.
        """
        self._recorder = provider.get_tracer("leeway_operators", _VERSION)
        self._sample_ratio = sample_ratio
        self._draw = draw
        self._clock = clock

    def __call__(self, namespace: str, name: str) -> Look:
        """As `Looks` says."""
        return _Timed(self, namespace, name, self._clock())

    def now(self) -> int:
        """In nanoseconds since the epoch."""
        return self._clock()

    def record(self, look: "_Timed", attributes: Attributes, error: BaseException | None) -> str | None:
        """Make the spans of a look that is over, and return its trace's id; None if it is not to be traced."""
        if error is None and "leeway.actions" not in attributes and self._draw() >= self._sample_ratio:
            return None
        now = self._clock()
        about = {"leeway.namespace": look.namespace, "leeway.model": look.name, **attributes}
        span = self._recorder.start_span("reconcile", attributes=about, start_time=look.began)
        below = set_span_in_context(span)
        ends = [began for _, began in look.stages[1:]] + [now]
        for (stage, began), ended in zip(look.stages, ends, strict=True):
            self._recorder.start_span(stage, below, start_time=began).end(ended)
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)
        return f"{span.get_span_context().trace_id:032x}"


class _Timed:
    """A look that may be traced: only when it is over is it known whether it did something."""

    def __init__(self, tracer: LookTracer, namespace: str, name: str, began: int) -> None:
        self.namespace = namespace
        self.name = name
        self.began = began
        self.stages: list[tuple[str, int]] = []
        self._tracer = tracer

    def enter(self, stage: str) -> None:
        """As `Look` says."""
        self.stages.append((stage, self._tracer.now()))

    def end(self, attributes: Attributes, *, error: BaseException | None = None) -> str | None:
        """As `Look` says."""
        return self._tracer.record(self, attributes, error)


class Export:
    """The way to a collector: a bounded queue that gives up its oldest spans, and a thread that sends them."""

    def __init__(self, endpoint: str) -> None:
        """Start the thread; `endpoint` is the base address of the collector."""
        exporter = trace_exporter.OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
        made_by = {"service.name": COMPONENT, "service.version": _VERSION, "service.instance.id": gethostname()}
        self._delivery = _Delivery(exporter)
        # Which looks are recorded was decided before the SDK hears of one.
        self.provider = TracerProvider(ALWAYS_ON, Resource.create(made_by), shutdown_on_exit=False)
        self.provider.add_span_processor(_Queue(self._delivery))

    def close(self, seconds: float) -> None:
        """Send what is left, drop what cannot be sent within `seconds`, and say how much was lost in all."""
        # A collector that hangs would keep the thread for longer, and it keeps no process from ending.
        closing = threading.Thread(target=self.provider.shutdown, name="tracing", daemon=True)
        closing.start()
        closing.join(seconds)
        recorded, taken = self._delivery.recorded, self._delivery.taken
        if taken < recorded:
            log.warning("spans were lost", extra={"fields": {"recorded": recorded, "lost": recorded - taken}})


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
        self._counting = threading.Lock()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span, in the place of the oldest if it is full."""
        with self._counting:  # by several workers
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
            log.warning("spans are given up, as more are made than are taken")
        self._reason.told = ""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                log.warning("spans are not taken", extra={"error": self._reason.told or "no reason was given"})
            self._lost += len(spans)
            return result
        self.taken += len(spans)
        if self._lost:
            log.info("spans are taken again", extra={"fields": {"lost": self._lost}})
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
