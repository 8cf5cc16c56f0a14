"""Judging the windows of one version: what each detector said last, what persists, and what came before."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

from leeway_drift.counting.plan import Plan
from leeway_drift.detectors.interface import Detector, Judgement, Reference, Verdict, Window
from leeway_drift.statistics.scoring import TRAILING_WINDOWS
from leeway_drift.streaming.persistence import AT_ONCE, Persistence

ADOPTED_AFTER = 28
"""Windows in a row kept out of the trailing reference, until it starts anew from what has become ordinary.

Without an end, a step that is here to stay would raise its alarm for ever, and hide the next one.
"""
HISTORY_WINDOWS = 64

Key = tuple[str, Reference]
"""Name and reference of a detector."""

Said = TypeVar("Said")


class Timed(Protocol):
    """Runs what judges for a detector, or a backend, of that name; the shell measures how long it takes."""

    def __call__(self, name: str, judge: Callable[[], Said], /) -> Said:
        """What ``judge`` returns."""


def untimed(_: str, judge: Callable[[], Said], /) -> Said:
    """Nobody measures it."""
    return judge()


@dataclass(frozen=True, slots=True)
class Rules:
    """What a version's profile makes of its stream.

    Attributes:
        digest: SHA-256 of the profile, in hex.
        plan: how rows are counted.
        window_rows: a window has at least.
        window_seconds: of event time a window has at least.
        detectors: on counts; those of ``AT_ONCE`` judge the sliding window.
        awaited: detectors judged elsewhere, so that nothing is missing while nobody has judged.
        until: the last time of the profile's rows, in seconds since the epoch; infinite if they have none.
        cells: of the plan.
    """

    digest: str
    plan: Plan
    window_rows: int
    window_seconds: float
    detectors: Sequence[Detector]
    awaited: Sequence[Key] = ()
    until: float = math.inf
    cells: str = field(init=False)

    def __post_init__(self) -> None:
        """Digest the plan once: it is asked for all the time."""
        object.__setattr__(self, "cells", self.plan.cells)


@dataclass(frozen=True, slots=True)
class Judged:
    """A detector's last word.

    Attributes:
        judgement: of the last window it was given.
        window: that one's begin, end and rows; None before the first.
        recent: verdicts of the last judged windows, oldest first.
        detected: whether there is an alarm.
    """

    judgement: Judgement
    window: tuple[datetime, datetime, int] | None
    recent: tuple[Verdict, ...] = ()
    detected: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """A closed window.

    Attributes:
        start: of it, in event time.
        end: of it, in event time.
        rows: of requests.
        detected: the detectors with an alarm then.
        ratios: score ratios of those that could judge.
    """

    start: datetime
    end: datetime
    rows: int
    detected: tuple[Key, ...]
    ratios: Mapping[Key, float]


@dataclass(slots=True)
class Judging:
    """State of all detectors of one version.

    Attributes:
        judged: last words.
        trailing: windows before the present one, without those in which a trailing detector or data quality objected.
        history: of closed windows, oldest first.
        latest: the last closed window.
        sliding: the window of data quality.
        withheld: windows in a row that were kept out of the trailing reference.
    """

    judged: dict[Key, Judged] = field(default_factory=dict)
    persistence: dict[Key, Persistence] = field(default_factory=dict)
    trailing: deque[Window] = field(default_factory=lambda: deque(maxlen=TRAILING_WINDOWS))
    history: deque[Past] = field(default_factory=lambda: deque(maxlen=HISTORY_WINDOWS))
    latest: Window | None = None
    sliding: Window | None = None
    withheld: int = 0

    def begin(self, rules: Rules) -> None:
        """Say of every detector that it waits, unless it has judged already."""
        keys = [(detector.name, detector.reference) for detector in rules.detectors]
        for key in [*keys, *rules.awaited]:
            if key not in self.judged:
                reason = f"no window of {rules.window_rows} rows and {rules.window_seconds:g} s is closed yet"
                self.judged[key] = Judged(insufficient(key, reason), None)

    def judge(self, window: Window, detectors: Iterable[Detector], timed: Timed) -> None:
        """Let detectors judge a closed window, and remember it."""
        for detector in detectors:
            if detector.name not in AT_ONCE:
                self._note(_ask(detector, window, tuple(self.trailing), timed), window)
        self.latest = replace(window, sample=None)
        ratios = {
            key: judged.judgement.score_ratio
            for key, judged in self.judged.items()
            if judged.judgement.score_ratio is not None
            and judged.window is not None
            and (key[0] in AT_ONCE or judged.window[1] == window.end)
        }
        detected = tuple(key for key, judged in self.judged.items() if judged.detected)
        self.history.append(Past(window.start, window.end, window.counts.rows, detected, ratios))
        self._remember(window)

    def judge_quality(self, window: Window, detectors: Iterable[Detector], timed: Timed) -> None:
        """Let those that alarm at once judge the sliding window."""
        self.sliding = window
        for detector in detectors:
            if detector.name in AT_ONCE:
                self._note(_ask(detector, window, tuple(self.trailing), timed), window)

    def add(self, judgements: Iterable[Judgement], window: Window) -> None:
        """Take what a backend says, some time after the window closed; an older window changes nothing any more."""
        for judgement in judgements:
            key = judgement.detector, judgement.reference
            known = self.judged.get(key)
            if known is not None and known.window is not None and known.window[1] > window.end:
                continue
            self._note(judgement, window)
            self._amend(key, judgement, window)

    def _amend(self, key: Key, judgement: Judgement, window: Window) -> None:
        for index, past in enumerate(self.history):
            if (past.start, past.end) == (window.start, window.end):
                ratios = dict(past.ratios)
                if judgement.score_ratio is not None:
                    ratios[key] = judgement.score_ratio
                others = tuple(other for other in past.detected if other != key)
                detected = (*others, key) if self.judged[key].detected else others
                self.history[index] = replace(past, detected=detected, ratios=ratios)

    def _note(self, judgement: Judgement, window: Window) -> None:
        key = judgement.detector, judgement.reference
        persistence = self.persistence.setdefault(key, Persistence())
        persistence.note(judgement)
        about = window.start, window.end, window.counts.rows
        detected = persistence.detected(judgement.detector)
        self.judged[key] = Judged(judgement, about, tuple(persistence.recent), detected)

    def _remember(self, window: Window) -> None:
        objecting = any(
            judged.detected or (judged.judgement.verdict is Verdict.OVER)
            for (name, reference), judged in self.judged.items()
            if reference is Reference.TRAILING or name in AT_ONCE
        )
        self.withheld = self.withheld + 1 if objecting else 0
        if self.withheld > ADOPTED_AFTER:
            self.trailing.clear()
            self.withheld = 0
            objecting = False
        if not objecting:
            self.trailing.append(replace(window, sample=None))


def insufficient(key: Key, reason: str) -> Judgement:
    """What is said when nothing can be said."""
    name, reference = key
    return Judgement(name, reference, Verdict.INSUFFICIENT, None, calibrated=False, reason=reason)


def _ask(detector: Detector, window: Window, trailing: Sequence[Window], timed: Timed) -> Judgement:
    try:
        return timed(detector.name, lambda: detector.judge(window, trailing))
    except Exception as error:  # noqa: BLE001 - one detector's fault must not blind the others; it is said, not hidden
        return insufficient((detector.name, detector.reference), f"failed: {type(error).__name__}: {error!s:.200}")
