"""Memory of a drift detector that watches some versions for an hour; runs in the detector's environment.

`cardinality_memory.py VERSIONS FEATURES INFERENCES BESIDE` prints bytes of resident memory, as JSON: `before`, with the
profile at hand and nothing watched, and `after` an hour in which each version answered so many requests of one row,
alone (BESIDE 1) or beside another of its model (2).
"""

import json
import os
import sys
from pathlib import Path

from cardinality_events import Watched, running
from cardinality_pods import SLOTS

HOUR = 3600.0
WINDOW_ROWS = 1000
VARIETY = 50
"""Different rows; what is kept of one does not depend on its values."""


def main() -> None:
    """Measure."""
    count, features, inferences, beside = map(int, sys.argv[1:5])
    with running(streams=count, features=features, window_rows=WINDOW_ROWS) as detector:
        rows = [detector.rows(1) for _ in range(VARIETY)]
        before = _resident()
        versions = [
            Watched(f"model-{number // beside:02d}", f"1.{number % beside}.0", SLOTS[number % beside])
            for number in range(count)
        ]
        for number in range(inferences):
            for watched in versions:
                detector.infer(watched, rows[number % VARIETY])
            if number == 0:
                detector.settle()
                for watched in versions:
                    detector.watch(watched)
            detector.clock.now += HOUR / inferences
        detector.settle()
        detector.publish()
        print(json.dumps({"before": before, "after": _resident()}))


def _resident() -> int:
    """Bytes, by proc(5)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
