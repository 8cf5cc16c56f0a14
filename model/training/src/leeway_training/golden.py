"""Real requests with their answers: the server runs them before it says that it is ready."""

import json

import numpy as np
import numpy.typing as npt
import pandas as pd

from leeway_training.export import Graph
from leeway_training.v2 import features_of, request, tensor

_SINGLE_ROWS = 16
_BATCH_ROWS = 8
_TOLERANCE = 1e-5


def golden_cases(graph: Graph, features: pd.DataFrame, score: npt.NDArray[np.float64]) -> bytes:
    """Choose rows and record what the graph answers to them.

    Single rows from the lowest to the highest score, for each feature a row that misses it (if there is one), and a
    batch across the whole period.

    Args:
        graph: the exported graph.
        features: the rows to choose from, in order of time.
        score: one number per row to spread the single rows over.

    Returns:
        ``golden.json`` (``schemas/golden.schema.json``), one case a line.
    """
    by_score = np.argsort(score, kind="stable")
    chosen = [[int(by_score[place])] for place in _spread(len(features), _SINGLE_ROWS)]
    for name in features:
        missing = np.flatnonzero(features[name].isna().to_numpy())
        if missing.size:
            chosen.append([int(missing[0])])
    chosen.append([int(row) for row in _spread(len(features), _BATCH_ROWS)])
    lines = []
    for rows in chosen:
        body = request(features.iloc[rows])
        answers = graph.answer(features_of(body))
        expected = {"outputs": [tensor(name, values) for name, values in answers.items()]}
        lines.append(json.dumps({"request": body, "expected": expected}, ensure_ascii=False, allow_nan=False))
    largest = max(float(np.abs(values).max()) for values in graph.answer(features).values())
    tolerance = _TOLERANCE * max(1.0, largest)
    head = f'{{"schema_version": 1, "tolerance": {{"absolute": {tolerance!r}}}, "cases": [\n'
    return (head + ",\n".join(lines) + "\n]}\n").encode()


def _spread(count: int, places: int) -> npt.NDArray[np.int64]:
    return np.linspace(0, count - 1, places).round().astype(np.int64)
