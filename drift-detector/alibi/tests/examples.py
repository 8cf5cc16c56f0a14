"""Rows of a small model, in time order: temp swings with the season, distance and carrier do not."""

import numpy as np

from leeway_alibi.table import Feature, Table

FEATURES = (Feature("temp", None), Feature("distance", None), Feature("carrier", 3))
BLOCKS = 60
BLOCK_ROWS = 60


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
    return 0.5 * np.sin(block / 4)


def reference(*, missing: float = 0.02) -> tuple[Table, np.ndarray]:
    """A reference and the block of each of its rows."""
    parts = [rows(BLOCK_ROWS, seed=block, season=season(block), missing=missing) for block in range(BLOCKS)]
    table = Table.of(
        FEATURES,
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.codes for part in parts]),
    )
    return table, np.repeat(np.arange(BLOCKS, dtype=np.int32), BLOCK_ROWS)
