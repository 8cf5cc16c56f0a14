"""One drill from its registration to its last window."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cluster.https import Endpoint
from cluster.progress import wait_until
from drill.detector import Detector
from drill.faults import Fault
from drill.findings import Findings
from drill.flights import Columns, Flights, v2
from drill.replay import Client, ReplayFailedError, Request, pace, requests

WINDOW_ROWS = 1000
_AFTER = 7 * 86400  # by then its last window has ended
_POLL_SECONDS = 0.5
_CLOSING_SECONDS = 8.0  # the detector waits 5 s for what comes late, then judges


@dataclass(frozen=True)
class Plan:
    """What is replayed.

    Attributes:
        flights: from the beginning on.
        healthy: rows as they were.
        fault: None for none.
        faulty: rows with the fault.
        speed: seconds of event time per second.
    """

    flights: Flights
    healthy: int
    fault: Fault | None
    faulty: int
    speed: float

    def requests(self) -> list[Request]:
        """All of it, each with the time it is due."""
        return requests(self.flights, healthy=self.healthy, fault=self.fault, faulty=self.faulty)

    @property
    def begin(self) -> int:
        """Event time at which the fault begins; of a replay without one, after its last row."""
        return self.flights.times[self.healthy] if self.fault else self.flights.times[-1] + _AFTER

    def rows(self, start: float, end: float) -> Columns:
        """Flights that are due from start to end, as the model gets them."""
        rows = self.flights.part(0, self.healthy).since(start).until(end).columns
        if self.fault is None:
            return rows
        later = self.fault.later
        after = self.flights.since(self.begin + later).part(0, self.faulty).since(start + later).until(end + later)
        changed = self.fault.apply(after.columns)
        return {name: values + changed[name] for name, values in rows.items()}


class NoProfileError(RuntimeError):
    """The detector has no profile of the version, so that no drill could tell anything; the message says why."""


def await_profile(detector: Detector, endpoint: Endpoint, version: str, sample: Flights) -> None:
    """Ask the model once, so that the detector learns of the version, and wait until it has the profile.

    Args:
        detector: to be asked.
        endpoint: the model's.
        version: that serves.
        sample: rows to ask about.

    Raises:
        NoProfileError: there is none, or it was refused.
        ReplayFailedError: the model failed to answer.
        TimeoutError: it has not come within a minute.
    """
    with Client(endpoint, "") as client:
        client.send(v2(sample.columns))

    def loaded() -> bool:
        profile = detector.profile(version)
        if profile["state"] in {"absent", "refused"}:
            raise NoProfileError(f"{version}: the drift profile is {profile['state']}: {profile['reason']}")
        return bool(profile["state"] == "loaded")

    wait_until(loaded, seconds=60, what=f"the drift profile of {version}")


def run(
    plan: Plan,
    detector: Detector,
    endpoint: Endpoint,
    version: str,
    *,
    watch: Callable[[Findings], None] = lambda _: None,
) -> Findings:
    """Replay the plan and collect what the detectors say.

    Args:
        plan: what to replay.
        detector: to be asked.
        endpoint: the model's.
        version: that the profile is of; it has to be the one that serves.
        watch: called after every look at the status.

    Raises:
        ReplayFailedError: the model failed to answer.
        RefusedError: the detector did.
    """
    due = plan.requests()
    name, prefix = detector.begin(version=version, start=plan.flights.times[0], speed=plan.speed)
    findings = Findings(plan.begin)
    failures: list[Exception] = []
    until = math.inf

    def send() -> None:
        try:
            with Client(endpoint, prefix) as client:
                pace(due, client.send, speed=plan.speed)
        except (ReplayFailedError, OSError) as error:
            failures.append(error)

    def look() -> bool:
        findings.take(detector.status(version, name))
        watch(findings)
        return time.monotonic() > until

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        while sender.is_alive():
            look()
            sender.join(_POLL_SECONDS)
        if failures:
            raise ReplayFailedError(f"replay stopped: {failures[0]}") from failures[0]
        until = time.monotonic() + _CLOSING_SECONDS
        wait_until(look, seconds=3 * _CLOSING_SECONDS, what="the last window")
    finally:
        detector.end(name)
    return findings
