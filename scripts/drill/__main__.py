"""`python -m drill FAULT`: replays flights with a fault through the endpoint and tells who saw it."""

import argparse
import os
import sys
from collections.abc import Iterable

from cluster import demo, paths, up
from cluster.addons.kube import Kube
from cluster.shell import CommandFailedError
from drill import flights, naive
from drill.detector import Detector, RefusedError, stable_version
from drill.faults import FAULTS
from drill.replay import ReplayFailedError
from drill.run import WINDOW_ROWS, NoProfileError, Plan, await_profile, run
from drill.telling import HEADING, Screen, naive_by, summary

_WARM_UP, _FAULTY = 10, 5  # windows: 7 for the trailing reference and some to be judged; an alarm takes 2 of 3
_SPEED = 14_400.0  # a day in six seconds
_FROM = 1_379_217_600  # 15 September 2013


def main() -> int:
    """Run one drill; 0 if a detector that is to see the fault saw it."""
    parser = argparse.ArgumentParser(prog="make demo-drift", description=__doc__)
    parser.add_argument("fault", choices=sorted(FAULTS), help="what goes wrong")
    fault = FAULTS[parser.parse_args().fault]
    cluster = paths.ClusterPaths(os.environ["CLUSTER"])
    try:
        detector = Detector(cluster.kubeconfig)
        test, training = flights.load()
        version, endpoint = stable_version(Kube(cluster.kubeconfig)), up.endpoint(cluster)
        plan = Plan(test.since(_FROM), _WARM_UP * WINDOW_ROWS, fault, _FAULTY * WINDOW_ROWS, _SPEED)
        seconds = plan.requests()[-1].due / _SPEED
        print(
            f"{demo.MODEL} {version}, flights from 15 September 2013: {_WARM_UP} windows as they were, {_FAULTY} with"
        )
        print(f"{fault.what}. A day takes {86400 / _SPEED:.0f} s, all of it {seconds:.0f} s.\n")
        await_profile(detector, endpoint, version, plan.flights.part(0, 1))
        naive_verdict = naive_by(plan.rows, lambda rows: naive.alarms(rows, training.columns))
        screen = Screen(naive_verdict)
        print(HEADING)
        findings = run(plan, detector, endpoint, version, watch=lambda found: _print(screen.lines(found)))
    except (CommandFailedError, NoProfileError, RefusedError, ReplayFailedError, TimeoutError, OSError) as error:
        sys.stderr.write(f"demo-drift: {error}\n")
        return 1
    _print([*screen.lines(findings, last=True), "", *summary(findings, fault, naive_verdict)])
    return 0 if {alarm.detector for alarm in findings.seen()} & set(fault.seen_by) else 1


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
