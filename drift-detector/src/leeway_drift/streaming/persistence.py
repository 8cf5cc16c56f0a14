"""When a detector's windows make an alarm."""

from collections import deque
from dataclasses import dataclass, field

from leeway_drift.detectors.interface import Judgement, Verdict

OF_LAST = 3
OVER = 2
AT_ONCE = frozenset({"data_quality"})
"""Detectors that need no second window: a broken feed is not a matter of chance."""


@dataclass(slots=True)
class Persistence:
    """Remembers the last judged windows of one detector.

    At a rate p of windows over the threshold by chance, 2 of 3 are over about 3p² of the time; it costs one window of
    delay. Windows of which the detector could not say anything are neither good nor bad news and do not count; nor do
    those it judged by a threshold that nobody calibrated, whose rate of false alarms nobody knows.

    Attributes:
        recent: verdicts of the last ``OF_LAST`` windows that count, oldest first.
    """

    recent: deque[Verdict] = field(default_factory=lambda: deque(maxlen=OF_LAST))

    def note(self, judgement: Judgement) -> None:
        """Add a window's verdict."""
        if judgement.calibrated and judgement.verdict is not Verdict.INSUFFICIENT:
            self.recent.append(judgement.verdict)

    def detected(self, detector: str) -> bool:
        """Whether there is an alarm."""
        if detector in AT_ONCE:
            return bool(self.recent) and self.recent[-1] is Verdict.OVER
        return sum(verdict is Verdict.OVER for verdict in self.recent) >= OVER
