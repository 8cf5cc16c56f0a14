"""`python -m drill FAULT`: replays flights with a fault through the endpoint and tells who saw it."""

import argparse
import os
import sys

from cluster import demo, paths, up
from cluster.addons.kube import Kube
from cluster.shell import CommandFailedError
from drill import flights, naive
from drill.detector import Detector, RefusedError, stable_version
from drill.faults import FAULTS, Fault
from drill.findings import Findings
from drill.replay import ReplayFailedError
from drill.run import WINDOW_ROWS, NoProfileError, Plan, await_profile, run

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
        findings = run(plan, detector, endpoint, version, watch=_Screen().show)
    except (CommandFailedError, NoProfileError, RefusedError, ReplayFailedError, TimeoutError, OSError) as error:
        sys.stderr.write(f"demo-drift: {error}\n")
        return 1
    seen = _tell(findings, fault)
    _tell_naive(plan, fault, training)
    return 0 if seen & set(fault.seen_by) else 1


class _Screen:
    """Prints each window once."""

    def __init__(self) -> None:
        self._printed = 0

    def show(self, findings: Findings) -> None:
        marked = [*((window, "") for window in findings.healthy), *((window, "fault") for window in findings.faulty)]
        for window, mark in marked[self._printed :]:
            ratios = "  ".join(f"{name} {ratio:.2f}" for name, ratio in window["ratios"].items() if ratio is not None)
            alarm = f"  ALARM {', '.join(window['detected'])}" if window["detected"] else ""
            print(f"{window['end'][:16]}  {window['rows']:5d} rows  {mark:<5}  {ratios}{alarm}", flush=True)
        self._printed = len(marked)


def _tell(findings: Findings, fault: Fault) -> set[str]:
    seen = findings.seen()
    print(f"\n{fault.what}:")
    for alarm in seen:
        where = f" in {', '.join(alarm.columns[:3])}" if alarm.columns else ""
        when = f"in whole window {alarm.windows} of the fault" if alarm.windows else "in the window it began in"
        ratio = "" if alarm.ratio is None else f", {alarm.ratio:.2f} times its threshold"
        print(f"  {alarm.detector} saw it{where}, {when}{ratio}")
    if not seen:
        print("  no detector raised an alarm for it")
    return {alarm.detector for alarm in seen}


def _tell_naive(plan: Plan, fault: Fault, training: flights.Flights) -> None:
    healthy = plan.flights.part(0, plan.healthy)
    faulty = plan.flights.since(plan.begin + fault.later).part(0, plan.faulty)
    for name, part, change in (("healthy", healthy, dict), ("faulty", faulty, fault.apply)):
        windows = list(part.batches(WINDOW_ROWS))
        alarmed = sum(bool(naive.alarms(change(window.columns), training.columns)) for window in windows)
        print(f"  a Kolmogorov-Smirnov test at p < 0.05 / columns alarms in {alarmed} of {len(windows)} {name} windows")


if __name__ == "__main__":
    sys.exit(main())
