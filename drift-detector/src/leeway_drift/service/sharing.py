"""The thread that hands in what this replica counted and, on one of the replicas, has the sum judged."""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from itertools import islice

import redis

from leeway_drift.service.engine import Engine
from leeway_drift.service.inbox import Busy
from leeway_drift.service.shared import KEPT_TICKS, PARTS_AT_ONCE, Deposed, Encoded, Lease, SharedCounts
from leeway_drift.service.views import Sharing
from leeway_drift.streaming.common import Answered
from leeway_drift.streaming.parts import Part
from leeway_drift.streaming.shards import Evaluation, Replica, watermark

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 1.0
OUTBOX_BYTES = 16 * 2**20
"""Parts kept while nobody takes them; a version with twenty columns needs about 3 kB per tick."""
NOBODY = "no replica evaluates yet"


class PartOutcome(StrEnum):
    """What became of what was counted in a closed tick."""

    HANDED_IN = "handed_in"
    """It is in the sum."""
    LATE = "late"
    """Its tick had been sealed."""
    DROPPED = "dropped"
    """It waited for the shared counts to be reachable, and was the oldest of too many or over an hour old."""


class SharingThread:
    """Works once a second.

    Args:
        counts: that are shared.
        engine: whose detector counts.
        replica: name of this one, another after each start.
        address: where it answers other replicas.
        outbox_bytes: of parts that wait at most.

    Attributes:
        evaluation: judges, while this replica does.
        outcomes: parts of this replica by what became of them.
        reachable: whether the shared counts were, the last time.
    """

    def __init__(
        self, counts: SharedCounts, engine: Engine, *, replica: Replica, address: str, outbox_bytes: int = OUTBOX_BYTES
    ) -> None:
        self._counts = counts
        self._engine = engine
        self._replica = replica
        self._address = address
        self.evaluation = Evaluation(engine.detector, replica)
        self.outcomes = dict.fromkeys(PartOutcome, 0)
        self.reachable = False
        self._outbox: deque[Encoded] = deque()
        self._outbox_bytes = 0
        self._outbox_limit = outbox_bytes
        self._closed: int | None = None
        self._answered: Answered = {}
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._current = False
        self._since = 0.0
        self._evaluated = -1
        self._begun = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sharing", daemon=True)
        engine.sharing = Sharing(evaluates=False, reason=NOBODY)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Hand in the last, after the engine has ended, and let others go on."""
        self._stopping.set()
        self._thread.join()
        try:
            self._hand_in()
            self._counts.withdraw(self._replica)
            if self._lease is not None:
                self._counts.resign(self._lease)
        except redis.RedisError as error:
            logger.warning("what was counted last is lost", extra={"error": str(error)})

    def offer(self, parts: Sequence[Part], closed: int) -> None:
        """Take what was closed here, which is all up to this tick; by the engine's thread."""
        encoded = [Encoded.of(part, self._replica) for part in parts]
        with self._lock:
            self._outbox.extend(encoded)
            self._outbox_bytes += sum(len(part.payload) for part in encoded)
            self._closed = closed
            while self._outbox and (
                self._outbox_bytes > self._outbox_limit or self._outbox[0].tick <= closed - KEPT_TICKS
            ):
                self._outbox_bytes -= len(self._outbox.popleft().payload)
                self.outcomes[PartOutcome.DROPPED] += 1

    def sync(self) -> None:
        """One round; the thread does so every second."""
        try:
            self._hand_in()
            self._hear()
            self._evaluate()
        except redis.RedisError as error:
            self._blind(f"the shared counts cannot be reached: {error}")
        except Deposed:
            self._follow()
        except Busy:
            self._blind("the engine of this replica is behind")

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_SECONDS):
            try:
                self.sync()
            except Exception as error:  # a fault of our own must not end this for good; it is logged, and said
                logger.exception("sharing counts failed")
                self._blind(f"failed: {type(error).__name__}; the log says where")

    def _hand_in(self) -> None:
        more = True
        while more:
            with self._lock:
                parts = list(islice(self._outbox, PARTS_AT_ONCE))
                more = len(parts) < len(self._outbox)
                closed = self._closed
            taken = self._counts.hand_in(self._replica, parts, None if more else closed)
            with self._lock:
                for part, was_taken in zip(parts, taken, strict=True):
                    if self._outbox and self._outbox[0] is part:  # else it was dropped, and counted, meanwhile
                        self._outbox.popleft()
                        self._outbox_bytes -= len(part.payload)
                        self.outcomes[PartOutcome.HANDED_IN if was_taken else PartOutcome.LATE] += 1

    def _hear(self) -> None:
        detector = self._engine.detector
        answered = self._counts.hear(self._answered, detector.clock() - detector.limits.stream_silent_seconds)

        def hear() -> None:
            detector.hear(answered)
            self._answered = detector.answered

        self._engine.tell(hear)

    def _evaluate(self) -> None:
        if self._lease is not None and not self._counts.renew(self._lease):
            self._lease = None
        if self._lease is None:
            self._lease, self._current = self._counts.campaign(self._replica, self._address), False
        if self._lease is None:
            self._follow()
            return
        begins = not self._current
        if begins:
            self._begin()
        closed, now = self._counts.closed(), self._engine.detector.clock()
        tick = watermark(closed, self._engine.detector.timeline, now, self._since)
        sealed = self._counts.seal(self._lease, -1 if tick is None else tick)
        if begins or sealed > self._evaluated:
            self._current = False  # until it is committed: what is in the windows by then is not what is kept
            handed = self._counts.read(self._evaluated, sealed)
            evaluated, changed = self._engine.ask(lambda: self.evaluation.apply(handed, sealed))
            self._counts.commit(self._lease, evaluated, changed)
            self._evaluated, self._current = sealed, True
        self._become(Sharing(evaluates=True))

    def _begin(self) -> None:
        """Go on where the last evaluator stopped, whoever it was, in an epoch of its own."""
        detector, self._since = self._engine.detector, self._engine.detector.clock()
        self._evaluated, saved = self._counts.saved()
        forgotten = self._since - detector.limits.stream_forgotten_seconds
        kept = {stream: state for stream, state in saved.items() if state and state["last_seen"] > forgotten}
        self._counts.forget(saved.keys() - kept.keys())
        self._begun += 1
        epoch = f"{self._replica}-{self._begun}"

        def begin() -> None:
            self.evaluation.begin(kept)
            self._engine.epoch = epoch

        self._engine.ask(begin)
        self._current = True
        logger.info("evaluating", extra={"fields": {"after": self._evaluated, "streams": len(kept)}})

    def _follow(self) -> None:
        self._lease = None
        evaluator = self._counts.evaluator()
        self._become(Sharing(evaluates=False, evaluator=evaluator, reason=None if evaluator else NOBODY))

    def _blind(self, reason: str) -> None:
        """Say why nothing is judged; the windows of who evaluated last are the last there are."""
        self.reachable = False
        self._current = False
        known = self._engine.sharing
        if known.reason is None:
            logger.warning("nothing is judged", extra={"error": reason})
        self._engine.tell(lambda: setattr(self._engine, "sharing", Sharing(known.evaluates, None, reason)))

    def _become(self, sharing: Sharing) -> None:
        self.reachable = True
        self._engine.tell(lambda: setattr(self._engine, "sharing", sharing))
