"""Capture as the application sees it: inferences are offered, and a thread does the rest."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

from leeway_serving.capture.buffer import Buffer, BufferLimits
from leeway_serving.capture.events import EVENTS_PER_INFERENCE, Inference, batch, sampled
from leeway_serving.capture.settings import CaptureSettings
from leeway_serving.capture.sink import SinkError

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where batches go."""

    def post(self, body: bytes) -> None:
        """Delivers one batch; raises `SinkError` when it was not taken."""

    def close(self) -> None:
        """Gives up what it holds."""


class Capture:
    """Sends what it is offered as long as the sink takes it, and counts what became of every event."""

    def __init__(
        self,
        settings: CaptureSettings,
        sink: Sink,
        counted: Callable[[str, int], None],
        *,
        limits: BufferLimits = BufferLimits(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts its thread.

        Args:
            settings: what to capture and whose it is.
            sink: used by the thread alone.
            counted: told an outcome (sent, dropped, failed, sampled_out) and a number of events, from both threads.
            limits: of what waits to be sent.
            clock: monotonic, in seconds.
        """
        self._settings = settings
        self._sink = sink
        self._counted = counted
        self._buffer = Buffer(limits, clock)
        self._closing = threading.Event()
        self._failing = False
        # Ids that no other process has, without asking the kernel for each.
        self._ids = (f"{prefix}-{number}" for prefix in [secrets.token_hex(8)] for number in count())
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self._thread.start()

    def offer(self, inference: Inference) -> None:
        """Takes an inference, or drops it or an older one; never waits."""
        if not sampled(inference.request_id, self._settings.sample):
            self._count("sampled_out", 1)
        elif dropped := self._buffer.put(inference):
            self._count("dropped", dropped)

    def close(self, seconds: float) -> None:
        """Sends what is left, and drops what cannot be sent within `seconds`."""
        self._buffer.close()
        self._closing.set()
        self._thread.join(seconds)
        if dropped := self._buffer.discard():
            self._count("dropped", dropped)
            fields = {"events": dropped * EVENTS_PER_INFERENCE}
            _log.warning("events were not sent before the end", extra={"fields": fields})

    def _run(self) -> None:
        while (inferences := self._buffer.take()) is not None:
            try:
                self._post(batch(((next(self._ids), inference) for inference in inferences), self._settings))
            except SinkError as error:
                self._count("failed", len(inferences))
                self._tell(str(error))
            except Exception:  # noqa: BLE001 - a fault of ours costs a batch, and not every later one with its thread
                self._count("failed", len(inferences))
                _log.exception("a batch of events failed")
            else:
                self._count("sent", len(inferences))
                self._tell(None)
        self._sink.close()

    def _post(self, body: bytes) -> None:
        """Delivers a batch, at the second attempt if need be; what comes meanwhile waits in the buffer."""
        try:
            self._sink.post(body)
        except SinkError as error:
            if error.retry_seconds is None:
                raise
            self._closing.wait(error.retry_seconds)
            self._sink.post(body)

    def _tell(self, error: str | None) -> None:
        """Says that the sink stopped or began to take events; once, not for every batch."""
        if self._failing != (error is not None):
            self._failing = error is not None
            fields = {"sink": self._settings.url}
            if error is not None:
                _log.warning("events are not taken", extra={"error": error, "fields": fields})
            else:
                _log.info("events are taken again", extra={"fields": fields})

    def _count(self, outcome: str, inferences: int) -> None:
        self._counted(outcome, inferences * EVENTS_PER_INFERENCE)
