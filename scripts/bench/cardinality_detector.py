"""The drift detector of a fleet, with every window judged that it compares; runs in the detector's environment."""

import math
import time
from itertools import groupby

from cardinality_events import WINDOW_SECONDS, Detector, Watched, running
from cardinality_pods import NAMESPACE, Fleet, Pod, expose, nothing

from leeway_drift.detectors.concept import MIN_LABELS
from leeway_drift.reading.events import Stream
from leeway_drift.service.tallies import Kept
from leeway_drift.statistics.scoring import TRAILING_WINDOWS

WINDOW_ROWS = 100
"""Few, for speed: what series there are does not depend on it."""
LABELLED = math.ceil(MIN_LABELS / WINDOW_ROWS)
"""Requests of each version whose rows get labels: enough for these to be judged."""
PATIENCE = 300.0


def main() -> None:
    """Expose it."""
    fleet = Fleet.of_arguments()
    versions = [Watched(*found) for found in fleet.versions_of_models()]
    with running(streams=len(versions), features=fleet.features, window_rows=WINDOW_ROWS) as detector:
        # The newest two versions run side by side; an older one has fallen silent, and is still watched.
        for _, beside in groupby(versions, lambda watched: watched.version):
            _judge(detector, list(beside))
        slots = {(NAMESPACE, watched.model, watched.slot): 1.0 for watched in versions}
        detector.service.engine.set_coverage(slots)
        detector.publish()
        labels = {"app.kubernetes.io/name": "leeway", "app.kubernetes.io/instance": "leeway"}
        pod = Pod(NAMESPACE, "leeway-drift-detector-0", {**labels, "app.kubernetes.io/component": "drift-detector"})
        expose([(pod, detector.service.registry, nothing)])


def _judge(detector: Detector, versions: list[Watched]) -> None:
    """As many windows of each as the detectors compare with, one more, and labels of the latest."""
    requests: list[tuple[Watched, str, float]] = []
    for window in range(TRAILING_WINDOWS + 2):
        rows = detector.rows(WINDOW_ROWS)
        requests += [(watched, detector.infer(watched, rows), detector.clock.now) for watched in versions]
        detector.settle()
        for watched in versions if window == 0 else ():
            detector.watch(watched)
        detector.clock.now += WINDOW_SECONDS + 10
        detector.settle()
    detector.publish()
    _wait_until_stored(detector, [watched.stream for watched in versions], (TRAILING_WINDOWS + 2) * WINDOW_ROWS)
    for watched, request, at in requests[-LABELLED * len(versions) :]:
        detector.label(watched, request, at, WINDOW_ROWS)
    detector.clock.now += 60
    detector.log.scores.refresh()


def _wait_until_stored(detector: Detector, streams: list[Stream], rows: int) -> None:
    """Wait for the rows of each stream, which a thread of its own writes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        tallies = detector.log.tallies.versions()
        if all(stream in tallies and tallies[stream].predictions[Kept.STORED] == rows for stream in streams):
            return
        time.sleep(0.1)
    raise TimeoutError(f"expected {rows} rows of each stream to be stored within {PATIENCE:g} s")


if __name__ == "__main__":
    main()
