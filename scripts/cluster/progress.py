"""Steps that run side by side as soon as what they need is done, each shown with its elapsed time."""

import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

_HEARTBEAT_SECONDS = 30.0


class StepFailedError(RuntimeError):
    """One or more steps failed; the others that could still run were left to finish."""


@dataclass
class Step:
    """A named piece of work. `needs` are the names of steps that must be done before it starts."""

    name: str
    work: Callable[["Step"], object]
    needs: Collection[str] = ()
    waiting_for: str = field(default="", init=False)

    def wait(self, what: str) -> None:
        """Say what the step is waiting for now; shown with the elapsed time."""
        self.waiting_for = what


def run_steps(steps: Collection[Step], *, parallel: int, say: Callable[[str], None] | None = None) -> None:
    """Run every step, at most `parallel` at once, each after what it needs.

    Raises:
        StepFailedError: with the name and cause of each failed step. Steps that need a failed one do not start.
        ValueError: a step needs one that does not exist.
    """
    known = {step.name for step in steps}
    for step in steps:
        if missing := set(step.needs) - known:
            raise ValueError(f"step {step.name!r} needs {sorted(missing)}, expected one of {sorted(known)}")
    _Run(steps, parallel, say or _say).to_the_end()


def without(steps: Collection[Step], name: str) -> list[Step]:
    """Return the steps that can be done although the one of this name never is, in their order."""
    never = {name}
    while more := {step.name for step in steps if never.intersection(step.needs)} - never:
        never |= more
    return [step for step in steps if step.name not in never]


class _Run:
    """The state of one `run_steps`: what is pending, running, done and failed."""

    def __init__(self, steps: Collection[Step], parallel: int, say: Callable[[str], None]) -> None:
        self._start = time.monotonic()
        self._parallel, self._say_line = parallel, say
        self._pending = {step.name: step for step in steps}
        self._running: dict[str, tuple[Step, float]] = {}
        self._done: set[str] = set()
        self._failed: dict[str, Exception] = {}
        self._changed = threading.Condition()

    def to_the_end(self) -> None:
        with self._changed:
            while self._pending or self._running:
                self._start_what_is_ready()
                if not self._running:
                    break  # what is left needs something that failed
                if not self._changed.wait(timeout=_HEARTBEAT_SECONDS):
                    self._say_what_runs()
        if self._failed:
            causes = "\n\n".join(f"{name}: {error}" for name, error in self._failed.items())
            raise StepFailedError(causes) from next(iter(self._failed.values()))

    def _start_what_is_ready(self) -> None:
        ready = [step for step in self._pending.values() if self._done.issuperset(step.needs)]
        for step in ready[: max(0, self._parallel - len(self._running))]:
            del self._pending[step.name]
            self._running[step.name] = (step, time.monotonic())
            threading.Thread(target=self._work, args=(step,), daemon=True, name=step.name).start()

    def _work(self, step: Step) -> None:
        began = time.monotonic()
        error: Exception | None = None
        try:
            step.work(step)
        except Exception as caught:  # noqa: BLE001 - a step may fail in any way; all of them are reported together
            error = caught
        with self._changed:
            del self._running[step.name]
            if error:
                self._failed[step.name] = error
            else:
                self._done.add(step.name)
            self._say("FAILED" if error else "done", f"{step.name} ({time.monotonic() - began:.0f} s)")
            self._changed.notify_all()

    def _say_what_runs(self) -> None:
        for step, began in self._running.values():
            wait = f", waiting for {step.waiting_for}" if step.waiting_for else ""
            self._say("…", f"{step.name} ({time.monotonic() - began:.0f} s{wait})")

    def _say(self, state: str, what: str) -> None:
        seconds = int(time.monotonic() - self._start)
        self._say_line(f"{seconds // 60:3d}:{seconds % 60:02d}  {state:<7} {what}")


def wait_until(ready: Callable[[], bool], *, seconds: float, what: str, step: Step | None = None) -> None:
    """Poll `ready` until it is true.

    Raises:
        TimeoutError: it was not within `seconds`; names `what`.
    """
    if step:
        step.wait(what)
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.25)  # a poll, bounded by the deadline above
    if step:
        step.wait("")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
