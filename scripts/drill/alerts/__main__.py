"""`make drill`: has an alert fire for real, shows what Slack is told and where its runbook begins, and cleans up."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence

from cluster import paths
from cluster.shell import CommandFailedError
from drill.alerts import telling
from drill.alerts.catalog import DRILLS, UnknownDrillError, chosen
from drill.alerts.outcome import Outcome
from drill.alerts.runbook import first_steps
from drill.alerts.session import NotUpError, session
from drill.alerts.waves import show_nothing
from drill.api import RefusedError

_RUNBOOKS = paths.REPOSITORY / "docs/runbooks"
_GAPS, _FAILED, _INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Drill what is named; 0 if all of it reached Slack in time and was told to be over."""
    parser = argparse.ArgumentParser(prog="make drill", description=__doc__)
    parser.add_argument("alerts", nargs="*", metavar="ALERT", help="or `all`; none lists what there is")
    parser.add_argument("--json", action="store_true", help="the outcomes as JSON on standard output, all else beside")
    parser.add_argument("--no-resolve", action="store_true", help="do not wait for word of their end")
    options = parser.parse_args(argv)
    if not options.alerts:
        print(f"{telling.listed(DRILLS.values())}\n\nmake drill ALERT=DriftAbrupt")
        return 0
    say = telling.timed(_aside if options.json else _print, now=time.monotonic)
    # Ended from outside, faults are undone as they are after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        drills = chosen(options.alerts)
        alone = len(drills) == 1 and not options.json
        with session(paths.ClusterPaths(os.environ.get("CLUSTER") or "leeway"), say=say) as on:
            outcomes = on.run(options.alerts, resolve=not options.no_resolve, told=_shown if alone else show_nothing)
    except KeyboardInterrupt:
        _aside("\nmake drill was interrupted; what it injected and installed is gone again")
        return _INTERRUPTED
    except (UnknownDrillError, NotUpError) as error:
        _aside(str(error))
        return _FAILED
    except (CommandFailedError, RefusedError, TimeoutError, OSError, LookupError) as error:
        _aside(f"\nmake drill failed.\n{error}\n\nnext: make status shows what runs; make up mends what does not")
        return _FAILED
    print(telling.document(outcomes) if options.json else f"\n{telling.table(outcomes, DRILLS.values())}")
    gaps = [one.alert for one in outcomes if one.gap]
    if gaps:
        _aside(f"next: make verify INJECT=none says what is not wired, then make drill ALERT={gaps[0]} again")
    return _GAPS if gaps else 0


def _shown(outcome: Outcome) -> None:
    page = (_RUNBOOKS / f"{outcome.alert}.md").read_text(encoding="utf-8")
    steps = "\n".join(f"  {line}".rstrip() for line in first_steps(page).splitlines())
    begins = f"docs/runbooks/{outcome.alert}.md begins its diagnosis so{_place(outcome)}:"
    _print(f"\n{telling.message(outcome)}\n\n{begins}\n\n{steps}\n")


def _place(outcome: Outcome) -> str:
    return f", NAMESPACE={outcome.model_namespace} MODEL={outcome.model}" if outcome.model else ""


def _print(line: str) -> None:
    print(line, flush=True)


def _aside(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
