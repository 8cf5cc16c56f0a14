"""Prints ``schemas/examples/drift-profile.json``; run under each supported numpy, the bytes must be equal.

Regenerate with ``uv run python tests/example_profile.py > ../schemas/examples/drift-profile.json``. The reference is
arithmetic, not random: no generator has to keep its stream across numpy versions.
"""

import json
import sys

import numpy as np

from leeway_drift.profile import build_profile


def example() -> str:
    """The example document: an ordinary number, a zero-inflated one, a calendar field, a category and two outputs."""
    row = np.arange(600)
    spread = (row * 7919 % 600) / 7.0
    rain = np.where(row % 10 == 0, (row % 7 + 1) / 100.0, 0.0)
    rain[row % 50 == 3] = np.nan
    carrier = np.array(["AA", "B6", "UA", "EV", None], dtype=object)[row * row % 11 % 5]
    late = spread / spread.max()
    profile = build_profile(
        {"departure_delay": spread - 15, "precipitation": rain, "hour": row % 24, "carrier": carrier},
        categorical=["carrier"],
        outputs={"label": late > 0.8, "probabilities": np.stack([1 - late, late], axis=1).astype(np.float32)},
    )
    return json.dumps(profile, indent=1, allow_nan=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(example())
