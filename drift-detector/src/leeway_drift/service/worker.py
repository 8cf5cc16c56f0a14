"""The task that decodes what the sink has taken."""

import asyncio
import logging

from leeway_drift.streaming.detector import Detector

logger = logging.getLogger(__name__)

BATCH = 8
"""Events decoded before the sink gets its turn again: under a millisecond at ordinary sizes."""


class Worker:
    """Runs a detector's backlog down, between the sink's requests and in the same event loop.

    Args:
        detector: whose ``process_next`` does the work.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._offered = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs; it ends only by ``stop`` or by a fault of our own, which a restart has to heal."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name="worker")

    def notify(self) -> None:
        """There is something to do."""
        self._offered.set()

    async def stop(self) -> None:
        """Process what is queued, then end; raises what the worker died of, if it did."""
        self._stopping = True
        self._offered.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            await self._work()
        except Exception:
            logger.exception("the worker has died")  # now, and not when somebody awaits the task
            raise

    async def _work(self) -> None:
        while True:
            await self._offered.wait()
            self._offered.clear()
            while self._batch():  # noqa: ASYNC110 - it gives the sink its turn and waits for nothing
                await asyncio.sleep(0)
            if self._stopping:
                return

    def _batch(self) -> bool:
        return all(self._detector.process_next() for _ in range(BATCH))
