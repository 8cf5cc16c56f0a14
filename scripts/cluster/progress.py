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
    say = say or _say
    known = {step.name for step in steps}
    for step in steps:
        if missing := set(step.needs) - known:
            raise ValueError(f"step {step.name!r} needs {sorted(missing)}, expected one of {sorted(known)}")
    start = time.monotonic()
    pending = {step.name: step for step in steps}
    running: dict[str, tuple[Step, float]] = {}
    done: set[str] = set()
    failed: dict[str, Exception] = {}
    changed = threading.Condition()

    def clock() -> str:
        seconds = int(time.monotonic() - start)
        return f"{seconds // 60:3d}:{seconds % 60:02d}"

    def work(step: Step) -> None:
        began = time.monotonic()
        error: Exception | None = None
        try:
            step.work(step)
        except Exception as caught:  # noqa: BLE001 - a step may fail in any way; all of them are reported together
            error = caught
        with changed:
            del running[step.name]
            took = time.monotonic() - began
            if error:
                failed[step.name] = error
                say(f"{clock()}  FAILED  {step.name} ({took:.0f} s)")
            else:
                done.add(step.name)
                say(f"{clock()}  done    {step.name} ({took:.0f} s)")
            changed.notify_all()

    with changed:
        while pending or running:
            ready = [step for step in pending.values() if done.issuperset(step.needs)]
            for step in ready[: max(0, parallel - len(running))]:
                del pending[step.name]
                running[step.name] = (step, time.monotonic())
                threading.Thread(target=work, args=(step,), daemon=True, name=step.name).start()
            if not running:
                break
            if not changed.wait(timeout=_HEARTBEAT_SECONDS):
                for step, began in running.values():
                    wait = f", waiting for {step.waiting_for}" if step.waiting_for else ""
                    say(f"{clock()}  …       {step.name} ({time.monotonic() - began:.0f} s{wait})")
    if failed:
        causes = "\n\n".join(f"{name}: {error}" for name, error in failed.items())
        raise StepFailedError(causes) from next(iter(failed.values()))


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
