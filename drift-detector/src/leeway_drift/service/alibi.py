"""Alibi-Detect behind the detector: starts its worker, feeds it windows, and outlives whatever becomes of it."""

import hashlib
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leeway_drift.columns import Rows
from leeway_drift.detectors.interface import Judgement, Window
from leeway_drift.profile import Profile, ProfileError
from leeway_drift.profile.calibrate import TARGET_PER_30_DAYS, window_probability
from leeway_drift.profile.reference import ReferenceRows, read_reference
from leeway_drift.reading.events import Stream
from leeway_drift.service.alibi_process import WorkerError, WorkerProcess
from leeway_drift.service.alibi_protocol import FrameError, encode, judgement_from_json
from leeway_drift.service.alibi_rows import Layout
from leeway_drift.service.logs import about
from leeway_drift.statistics.scoring import SCORINGS
from leeway_drift.streaming.backend import BackendUnavailable

logger = logging.getLogger(__name__)

COMMAND = ("/opt/alibi/bin/leeway-alibi",)
"""Where the image has the worker."""

DETECTORS = ("tabular", "classifier")
"""What it judges by."""

(TABULAR,) = (scoring for scoring in SCORINGS if scoring.detector == "tabular")
"""Whose thresholds the worker's distances are held against: they are the same distances."""

MEMORY_BYTES = 3 << 30
"""Address space of the worker; what it holds of it is a tenth."""

JUDGE_SECONDS = 60.0
LOAD_SECONDS = 300.0
"""For calibrating one version, which takes seconds, and a minute on a busy core."""

IDLE_SECONDS = 600.0
"""Without a window for so long it is stopped, and its memory given back."""

LONGEST_PAUSE_SECONDS = 300.0
"""Between a death and the next start at most; the first pause is a second, and each death doubles it."""

_KNOWN_VERSIONS = 64
_ENOUGH = 0.9  # of the windows that taught the thresholds, as the detectors on counts have it


@dataclass(slots=True)
class _Known:
    """What outlives the worker of a version.

    Attributes:
        layout: of its tables.
        taught: what the worker said that calibrating has taught it, in its own words, so that its successor need not
            calibrate again.
    """

    layout: Layout
    taught: dict[str, Any] = field(default_factory=dict)


class AlibiBackend:
    """A ``RowBackend`` whose judgements are those of Alibi-Detect, in a process of its own.

    The worker is started by the first window, stopped after ``IDLE_SECONDS`` without one, and started again after a
    death, later with every death in a row.

    Args:
        clock: monotonic seconds.
        scratch: a folder that the worker may write to.
        command: of the worker.
        judge_seconds: after which a judgement is given up and the worker killed.
        load_seconds: the same for loading a version.
        idle_seconds: after which it is stopped.
        memory_bytes: its address space at most.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        scratch: Path,
        command: Sequence[str] = COMMAND,
        judge_seconds: float = JUDGE_SECONDS,
        load_seconds: float = LOAD_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._clock = clock
        self._scratch = scratch
        self._command = tuple(command)
        self._judge_seconds = judge_seconds
        self._load_seconds = load_seconds
        self._idle_seconds = idle_seconds
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._process: WorkerProcess | None = None
        self._idle: threading.Timer | None = None
        self._deaths_in_a_row = 0
        self._not_before = -math.inf
        self._restarts = 0
        self._known: dict[str, _Known] = {}

    @property
    def name(self) -> str:
        """Of the backend."""
        return "alibi"

    @property
    def detectors(self) -> Sequence[str]:
        """Names of the detectors whose judgements it gives."""
        return DETECTORS

    @property
    def alive(self) -> bool:
        """Whether the worker runs; it does not before the first window and after an idle time."""
        process = self._process
        return process is not None and process.alive

    @property
    def restarts(self) -> int:
        """Starts that followed a death."""
        return self._restarts

    def judge(self, stream: Stream, profile: Profile, reference: bytes | None, window: Window) -> Sequence[Judgement]:
        """Judge a window's sample by every detector; takes seconds, and a minute for the first of a version.

        Raises:
            BackendUnavailable: no reference rows, no sample, a broken reference, or a worker that cannot answer.
        """
        if reference is None:
            raise BackendUnavailable("the bundle has no drift-reference.npz, whose rows this detector compares with")
        if window.sample is None:
            raise BackendUnavailable("no sample of this window's rows was kept")
        with self._lock:
            self._rest()
            try:
                return self._judge(stream, profile, reference, window, window.sample)
            finally:
                self._idle = threading.Timer(self._idle_seconds, self._stop_idle)
                self._idle.daemon = True
                self._idle.start()

    def close(self) -> None:
        """Stop the worker."""
        with self._lock:
            self._rest()
            self._stop()

    def _judge(
        self, stream: Stream, profile: Profile, reference: bytes, window: Window, sample: Rows
    ) -> Sequence[Judgement]:
        key = _key(profile, reference)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Known(Layout.of(profile, _read(profile, reference)))
            while len(self._known) > _KNOWN_VERSIONS:
                self._known.pop(next(iter(self._known)))
        question = encode(judge_header(key, profile, window), known.layout.of_window(sample))
        answer = self._ask(question, self._judge_seconds)
        if answer.get("unknown"):
            logger.info("loading a version into Alibi-Detect", extra=about(stream))
            rows = known.layout.of_reference(_read(profile, reference), in_order_of_time=profile.calibrated)
            loaded = self._ask(encode(load_header(key, known.layout, profile, known.taught), rows), self._load_seconds)
            known.taught = loaded.get("taught", {})
            answer = self._ask(question, self._judge_seconds)
        try:
            judgements = [judgement_from_json(judgement) for judgement in answer["judgements"]]
        except (FrameError, KeyError, TypeError) as error:
            self._died()
            raise BackendUnavailable(f"the worker said what is no judgement, and was killed: {error!r}") from error
        self._deaths_in_a_row = 0
        return judgements

    def _ask(self, frame: bytes, seconds: float) -> dict[str, Any]:
        try:
            answer = self._worker().ask(frame, seconds)
        except WorkerError as error:
            self._died()
            pause = self._not_before - self._clock()
            raise BackendUnavailable(f"{error}; it is started again in {pause:.0f} s at the earliest") from error
        if "error" in answer:
            raise BackendUnavailable(f"the worker cannot: {answer['error']}")
        return answer

    def _worker(self) -> WorkerProcess:
        if self._process is not None and self._process.alive:
            return self._process
        if self._process is not None:  # killed while nobody asked it anything, which has cost no window
            self._died()
            self._not_before = -math.inf
        if (left := self._not_before - self._clock()) > 0:
            raise BackendUnavailable(f"the worker has died and is not started again for {left:.0f} s")
        self._restarts += self._deaths_in_a_row > 0
        self._process = WorkerProcess(self._command, scratch=self._scratch, memory_bytes=self._memory_bytes)
        return self._process

    def _died(self) -> None:
        self._stop()
        self._not_before = self._clock() + min(2.0**self._deaths_in_a_row, LONGEST_PAUSE_SECONDS)
        self._deaths_in_a_row += 1
        fields = {"times_in_a_row": self._deaths_in_a_row}
        logger.warning("Alibi-Detect's worker has died", extra={"fields": fields})

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _stop_idle(self) -> None:
        with self._lock:
            if self._idle is threading.current_thread():  # else a window came while it waited for the lock
                self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None


def _read(profile: Profile, reference: bytes) -> ReferenceRows:
    try:
        return read_reference(reference, profile)
    except ProfileError as error:
        raise BackendUnavailable(f"drift-reference.npz: {error}") from error


def judge_header(key: str, profile: Profile, window: Window) -> dict[str, Any]:
    """The header of a question that has a window judged."""
    seconds = (window.end - window.start).total_seconds()
    enough = window.counts.rows >= _ENOUGH * profile.window_rows and seconds >= _ENOUGH * profile.window_seconds
    return {"op": "judge", "version": key, "rows": window.counts.rows, "comparable": enough}


def load_header(key: str, layout: Layout, profile: Profile, taught: Mapping[str, Any]) -> dict[str, Any]:
    """The header of a question that loads a version."""
    threshold = profile.threshold(TABULAR)
    spreads = {} if threshold is None else threshold.spreads
    return {
        "op": "load",
        "version": key,
        "features": layout.features,
        "rate": window_probability(
            profile.window_seconds, profile.target_false_alarms_per_30_days or TARGET_PER_30_DAYS
        ),
        "tabular": {
            "spreads": [[*name, spread.median, spread.above] for name, spread in spreads.items()],
            "limit": 1.0 if threshold is None else threshold.value,
            "calibrated": profile.calibrated,
        },
        "taught": taught,
    }


def _key(profile: Profile, reference: bytes) -> str:
    """Equal for versions that the worker may judge alike."""
    digest = hashlib.sha256(reference)
    rate = profile.target_false_alarms_per_30_days, profile.window_seconds
    digest.update(repr((profile.plan.features, profile.calibrated, profile.threshold(TABULAR), rate)).encode())
    return digest.hexdigest()
