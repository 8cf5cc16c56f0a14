"""Prints ``schemas/examples/drift-profile.json``; run under each supported numpy, the bytes must be equal.

Regenerate with ``uv run python tests/example_profile.py > ../schemas/examples/drift-profile.json``. The reference is
arithmetic, not random: no generator has to keep its stream across numpy versions.
"""

import json
import sys

import numpy as np

from leeway_drift.profile import build_profile

ROWS = 12_000


def example() -> str:
    """The example document: an ordinary number, a zero-inflated one, a calendar field, a category and two outputs."""
    row = np.arange(ROWS)
    spread = (row * 7919 % 600) / 7.0
    rain = np.where(row // 200 % 7 == 0, (row * 31 % 7 + 1) / 100.0, 0.0)
    rain[row % 50 == 3] = np.nan
    kind = (row * 7919 % 600 // 100 + row * row % 11 % 2) % 5
    carrier = np.array(["AA", "B6", "UA", "EV", None], dtype=object)[kind]
    late = spread / spread.max()
    profile = build_profile(
        {"departure_delay": spread - 15, "precipitation": rain, "hour": row // 60 % 24, "carrier": carrier},
        categorical=["carrier"],
        outputs={"label": late > 0.8, "probabilities": np.stack([1 - late, late], axis=1).astype(np.float32)},
        time=1_388_534_400 + row * 60,
        labels=(row * 7919 % 600 > 450).astype(float),
        task="binary_classification",
        context=["hour"],
    )
    return json.dumps(profile, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(example())
