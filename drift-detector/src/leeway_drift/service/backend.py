"""The thread that lets a row backend take its time."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence

from leeway_drift.detectors.interface import Judgement, Reference
from leeway_drift.service.logs import about
from leeway_drift.service.profiles import Loaded
from leeway_drift.streaming.backend import BackendUnavailable, RowBackend
from leeway_drift.streaming.detector import Closed
from leeway_drift.streaming.judging import Timed, insufficient

logger = logging.getLogger(__name__)

WAITING_WINDOWS = 16
"""Windows that wait for the backend; one more, and its judgement is insufficient instead of late."""

Judged = Callable[[Closed, Sequence[Judgement]], None]


class BackendThread:
    """Feeds a backend one window after the other.

    Args:
        backend: used by this thread alone.
        timed: runs its judgements.
    """

    def __init__(self, backend: RowBackend, timed: Timed) -> None:
        self._backend = backend
        self._timed = timed
        self._waiting: queue.Queue[tuple[Closed, Loaded, Judged] | None] = queue.Queue(WAITING_WINDOWS)
        self._thread = threading.Thread(target=self._run, name="backend", daemon=True)

    @property
    def detectors(self) -> Sequence[str]:
        """Names of the detectors whose judgements it gives."""
        return self._backend.detectors

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, unless a judgement is under way: nobody waits for that."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(timeout=1.0)

    def offer(self, closed: Closed, loaded: Loaded, judged: Judged) -> None:
        """Have a window judged; ``judged`` is called with the result, from another thread."""
        try:
            self._waiting.put_nowait((closed, loaded, judged))
        except queue.Full:
            judged(closed, self._none("the backend is behind: too many windows wait for it"))

    def _run(self) -> None:
        while (job := self._waiting.get()) is not None:
            closed, loaded, judged = job
            judged(closed, self._judge(closed, loaded))

    def _judge(self, closed: Closed, loaded: Loaded) -> Sequence[Judgement]:
        try:
            return self._timed(
                self._backend.name,
                lambda: self._backend.judge(closed.stream, loaded.profile, loaded.reference, closed.window),
            )
        except BackendUnavailable as error:
            return self._none(str(error))
        except Exception:  # a fault in one window must not end all judging; it is said in the verdict
            logger.exception("the backend failed", extra=about(closed.stream))
            return self._none("the backend failed; the detector's log says how")

    def _none(self, reason: str) -> list[Judgement]:
        return [insufficient((name, Reference.TRAINING), reason) for name in self._backend.detectors]
