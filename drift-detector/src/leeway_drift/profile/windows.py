"""Cutting a reference into windows by the rule that cuts what is served."""

import math

import numpy as np

from leeway_drift.counting.counts import Integers

TICK_SECONDS = 10
"""Event time is cut into ticks of this length; a window is a union of consecutive ticks.

The operator takes its evidence tick by tick, so this is also the age of what it decides on.
"""

MINIMUM_WINDOWS = 50
"""Windows of a reference below which it teaches no threshold."""

_ROWS = (1000, 500, 200)
_SECONDS = (86_400.0, 3_600.0, 600.0, 60.0)


def cut_windows(time: Integers, rows: int, seconds: float) -> Integers:
    """Cut rows into consecutive windows of whole ticks that reach both ``rows`` and ``seconds``.

    A window begins where the one before it ends, the first at the tick of the first row.

    Args:
        time: epoch seconds ``[n]``, ascending.
        rows: that each window has at least.
        seconds: that each window lasts at least.

    Returns:
        Offsets ``[windows + 1]``: window w is ``offsets[w]:offsets[w + 1]``; rows behind the last are in none.
    """
    if time.size == 0:
        return np.zeros(1, dtype=np.int64)
    ticks, first_rows = np.unique(time // TICK_SECONDS, return_index=True)
    ends = np.append(first_rows[1:], time.size)
    lasting = math.ceil(seconds / TICK_SECONDS)
    offsets = [0]
    begin = int(ticks[0])
    while (enough := int(np.searchsorted(ends, offsets[-1] + rows))) < ticks.size:
        last = max(int(ticks[enough]), begin + lasting - 1)
        if last > ticks[-1]:
            break
        offsets.append(int(ends[np.searchsorted(ticks, last, side="right") - 1]))
        begin = last + 1
    return np.array(offsets, dtype=np.int64)


def choose_window(time: Integers) -> tuple[int, float]:
    """The window to calibrate on: a day and 1000 rows, or the largest below that which gives enough windows.

    A day before anything else, since business data has a daily cycle.

    Args:
        time: epoch seconds ``[n]``, ascending.

    Returns:
        Rows and seconds; the smallest ones if nothing gives ``MINIMUM_WINDOWS``.
    """
    for seconds in _SECONDS:
        for rows in _ROWS:
            if len(cut_windows(time, rows, seconds)) > MINIMUM_WINDOWS:
                return rows, seconds
    return _ROWS[-1], _SECONDS[-1]
