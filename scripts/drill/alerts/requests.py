"""What clients of a drill send: flights of the test period, some in a request, as they were or with a fault; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from drill.faults import Fault
from drill.flights import Columns, v2

Sample = Mapping[str, Any]
"""What is sent at once, as `v2`; with its `label` where it is a single flight."""


def batches(samples: Sequence[Sample], rows: int) -> list[Sample]:
    """Return requests of `rows` flights each, from requests of one; the rest that is smaller is left out.

    Args:
        samples: as `demo.samples` gives them.
        rows: 1 leaves them as they are, with their labels.
    """
    if rows == 1:
        return list(samples)
    return [_together(samples[start : start + rows]) for start in range(0, len(samples) - rows + 1, rows)]


def faulty(samples: Sequence[Sample], fault: Fault) -> list[Sample]:
    """Return the same requests with a fault in their rows."""
    return [{**sample, "v2": v2(fault.apply(_columns(sample)))} for sample in samples]


def _together(samples: Sequence[Sample]) -> Sample:
    each = [_columns(sample) for sample in samples]
    return {"v2": v2({name: [value for columns in each for value in columns[name]] for name in each[0]})}


def _columns(sample: Sample) -> Columns:
    return {tensor["name"]: list(tensor["data"]) for tensor in sample["v2"]["inputs"]}
