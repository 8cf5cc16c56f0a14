"""A small model in three forms: what the profile is built of, what the worker gets, and windows of what is served.

``temp`` swings with the season, ``distance`` and ``carrier`` do not; one window a day, enough to calibrate on.
"""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from leeway_alibi.table import Feature, Table
from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Window
from leeway_drift.profile import Profile, build_profile
from leeway_drift.profile.reference import build_reference

CARRIERS = ("AA", "B6", "UA")
FEATURES = (Feature("temp", None), Feature("distance", None), Feature("carrier", len(CARRIERS)))
BLOCKS = 52
BLOCK_ROWS = 60
_DAILY_ROWS = 240


def rows(count: int, *, seed: int, season: float = 0.0, missing: float = 0.0) -> Table:
    """Rows of one stretch of time; ``season`` moves temp, in its standard deviations."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(count, 2)).astype(np.float32)
    numbers[:, 0] += season
    numbers[random.random((count, 2)) < missing] = np.nan
    codes = random.choice(3, size=(count, 1), p=[0.6, 0.3, 0.1]).astype(np.int16)
    codes[random.random((count, 1)) < missing] = -1
    return Table.of(FEATURES, numbers, codes)


def season(block: int) -> float:
    """How warm a block is."""
    return float(0.5 * np.sin(block / 4))


def reference(
    *, blocks: int = BLOCKS, block_rows: int = BLOCK_ROWS, missing: float = 0.02
) -> tuple[Table, npt.NDArray[np.int32]]:
    """A reference and the block of each of its rows."""
    parts = [rows(block_rows, seed=block, season=season(block), missing=missing) for block in range(blocks)]
    table = Table.of(
        FEATURES,
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.codes for part in parts]),
    )
    return table, np.repeat(np.arange(blocks, dtype=np.int32), block_rows)


def profile_and_reference(*, timed: bool = True) -> tuple[Profile, bytes]:
    """What the bundle of this model has: its profile, and ``drift-reference.npz``."""
    table, block = reference(block_rows=_DAILY_ROWS)
    time = 86_400 * block.astype(np.int64) + np.tile(np.arange(_DAILY_ROWS) * 86_400 // _DAILY_ROWS, BLOCKS)
    columns = {"temp": table.numbers[:, 0], "distance": table.numbers[:, 1], "carrier": strings(table)}
    document = build_profile(
        columns,
        categorical=["carrier"],
        outputs={"prediction": table.numbers[:, 1]},
        time=time if timed else None,
    )
    packed = build_reference(
        columns, categorical=["carrier"], profile=document, time=time if timed else None, rows=BLOCKS * BLOCK_ROWS
    )
    return Profile.parse(document), packed


def strings(table: Table) -> npt.NDArray[np.object_]:
    """Carriers as they are served."""
    return np.array([None if code < 0 else CARRIERS[code] for code in table.codes[:, 0]], dtype=np.object_)


def window(profile: Profile, served: Table) -> Window:
    """A closed window with these rows as its sample."""
    columns = {"temp": served.numbers[:, 0], "distance": served.numbers[:, 1], "carrier": strings(served)}
    sample = Rows.of(columns, len(served))
    return Window(
        start=datetime(2013, 7, 1, tzinfo=UTC),
        end=datetime(2013, 7, 2, tzinfo=UTC),
        counts=Counts.of_request(profile.plan, sample),
        sample=sample,
    )
