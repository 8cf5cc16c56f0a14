"""Real rows of the test period as requests: what load tests and end-to-end tests send."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from leeway_training.config import Config
from leeway_training.dataset import build_dataset
from leeway_training.errors import Problem, Refused
from leeway_training.v2 import json_values, request


def samples(frame: pd.DataFrame, config: Config, *, rows: int) -> Iterator[dict[str, Any]]:
    """Choose rows evenly over the test period, in order of time; equal input gives equal rows.

    Yields:
        ``id`` (the row's key, or its place among the test rows), ``time`` (if rows have one), ``label``, ``v2`` (a V2
        request body) and ``instance`` (the row as an object).

    Raises:
        Refused: fewer rows in the test period than asked for.
    """
    test = build_dataset(frame, config).test
    if not 0 < rows <= len(test):
        problem = Problem("--rows", f"{rows} rows asked for", f"1 to {len(test)}, the rows of the test period")
        raise Refused("choose samples", [problem])
    chosen = np.linspace(0, len(test) - 1, rows).round().astype(np.int64)
    features, origin = test.features.iloc[chosen], test.frame.iloc[chosen]
    values = {str(name): json_values(features[name].to_numpy()) for name in features}
    for place in range(rows):
        row = {str(name): value for name, value in origin.iloc[place].items()}
        timed = {}
        if config.time is not None:
            row[config.time.column] = row[config.time.column].strftime("%Y-%m-%dT%H:%M:%SZ")
            timed["time"] = row[config.time.column]
        yield {
            "id": "-".join(str(row[name]) for name in config.data.key) or str(chosen[place]),
            **timed,
            "label": test.labels[chosen[place]].item(),
            "v2": request(features.iloc[[place]]),
            "instance": {name: column[place] for name, column in values.items()},
        }
