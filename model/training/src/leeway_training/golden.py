"""Real requests with their answers: the server runs them before it says that it is ready."""

from typing import Any

import numpy as np
import pandas as pd

from leeway_training.export import Graph
from leeway_training.v2 import features_of, request, tensor

_SINGLE_ROWS = 16
_BATCH_ROWS = 8
_TOLERANCE = 1e-5


def golden_cases(graph: Graph, features: pd.DataFrame, score: "np.ndarray[Any, np.dtype[Any]]") -> dict[str, Any]:
    """Choose rows and record what the graph answers to them.

    Single rows from the lowest to the highest score, for each feature a row that misses it (if there is one), and a
    batch across the whole period.

    Args:
        graph: the exported graph.
        features: the rows to choose from, in order of time.
        score: one number per row to spread the single rows over.

    Returns:
        The document of ``golden.json``.
    """
    by_score = np.argsort(score, kind="stable")
    chosen = [[int(by_score[place])] for place in _spread(len(features), _SINGLE_ROWS)]
    for name in features:
        missing = np.flatnonzero(features[name].isna().to_numpy())
        if missing.size:
            chosen.append([int(missing[0])])
    chosen.append([int(row) for row in _spread(len(features), _BATCH_ROWS)])
    cases = []
    for rows in chosen:
        body = request(features.iloc[rows])
        answers = graph.answer(features_of(body))
        cases.append(
            {"request": body, "expected": {"outputs": [tensor(name, values) for name, values in answers.items()]}}
        )
    largest = max(float(np.abs(values).max()) for values in graph.answer(features).values())
    return {"schema_version": 1, "tolerance": {"absolute": _TOLERANCE * max(1.0, largest)}, "cases": cases}


def _spread(count: int, places: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    return np.linspace(0, count - 1, places).round().astype(np.int64)
