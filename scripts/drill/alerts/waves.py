"""Drills side by side, and those that take down what others need after them."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from drill.alerts.catalog import Drill, chosen
from drill.alerts.mailbox import Mailbox
from drill.alerts.outcome import Outcome


def show_nothing(_: Outcome) -> None:
    """Leave the showing to whoever reads the outcomes."""


class Work(Protocol):
    """Carries one drill out, in a thread of its own."""

    def __call__(self, drill: Drill, *, resolve: bool, told: Callable[[Outcome], None]) -> Outcome:
        """Return what became of it; what fails is its gap."""


class Drills:
    """Drills on one cluster, for any number of threads.

    Args:
        work: carries one out.
        mailbox: in Slack's place.
        over: set once everybody is to end; `work` looks at it.
        run: what the names of these drills' models end with, and those of no other run.
    """

    def __init__(self, work: Work, mailbox: Mailbox, over: threading.Event, *, run: str) -> None:
        self.mailbox = mailbox
        self._work, self._over, self._run = work, over, run

    def run(
        self, names: Sequence[str], *, resolve: bool = True, told: Callable[[Outcome], None] = show_nothing
    ) -> list[Outcome]:
        """Drill alerts side by side; those that take down what others need come last.

        Args:
            names: of alerts, or only `all`.
            resolve: whether to wait for word of their end, where there is one; leeway-verify always does.
            told: called with each outcome once its message is in Slack, by the drill's thread.

        Raises:
            UnknownDrillError: there is no such drill.
        """
        drills = [drill.in_run(self._run) for drill in chosen(names)]
        outcomes: list[Outcome] = []
        for down in (False, True):
            wave = [drill for drill in drills if drill.takes_down is down]
            if wave:
                outcomes += self._side_by_side(wave, resolve=resolve, told=told)
        return outcomes

    def end(self) -> None:
        """Have those that are under way undo their faults and end."""
        self._over.set()

    def _side_by_side(self, wave: Sequence[Drill], *, resolve: bool, told: Callable[[Outcome], None]) -> list[Outcome]:
        with ThreadPoolExecutor(len(wave)) as pool:
            futures = [pool.submit(self._work, drill, resolve=resolve, told=told) for drill in wave]
            try:
                return [future.result() for future in futures]
            except BaseException:  # Ctrl-C among them: each undoes its fault before the pool lets go
                self._over.set()
                raise
