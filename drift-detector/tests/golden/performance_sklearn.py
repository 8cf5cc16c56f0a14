"""Prints ``performance_sklearn.json``: scikit-learn's metrics of arithmetic examples, to hold our formulas against.

Run in training's environment, which has scikit-learn: from ``model/training``,
``uv run python ../../drift-detector/tests/golden/performance_sklearn.py``.
"""

import json
import sys

import numpy as np
from sklearn import metrics


def binary(name: str, probabilities: np.ndarray, labels: np.ndarray) -> dict:
    both = np.stack([1 - probabilities, probabilities], axis=1)
    return {
        "name": name,
        "task": "binary_classification",
        "scores": both.tolist(),
        "labels": labels.tolist(),
        "metrics": {
            "auc": metrics.roc_auc_score(labels, probabilities),
            "f1": metrics.f1_score(labels, probabilities >= 0.5),
            "brier": metrics.brier_score_loss(labels, probabilities),
            "log_loss": metrics.log_loss(labels, both, labels=[0, 1]),
            "accuracy": metrics.accuracy_score(labels, both.argmax(axis=1)),
        },
    }


def multiclass(probabilities: np.ndarray, labels: np.ndarray) -> dict:
    said = probabilities.argmax(axis=1)
    return {
        "name": "multiclass",
        "task": "multiclass_classification",
        "scores": probabilities.tolist(),
        "labels": labels.tolist(),
        "metrics": {
            "accuracy": metrics.accuracy_score(labels, said),
            "macro_f1": metrics.f1_score(labels, said, average="macro"),
            "log_loss": metrics.log_loss(labels, probabilities, labels=range(probabilities.shape[1])),
        },
    }


def regression(predicted: np.ndarray, values: np.ndarray) -> dict:
    return {
        "name": "regression",
        "task": "regression",
        "scores": predicted.reshape(-1, 1).tolist(),
        "labels": values.tolist(),
        "metrics": {
            "mae": metrics.mean_absolute_error(values, predicted),
            "rmse": metrics.root_mean_squared_error(values, predicted),
        },
    }


def main() -> None:
    """Write the document; the examples are arithmetic, so that they are the same everywhere."""
    row = np.arange(200)
    spread = (row * 7919 % 199 + 0.5) / 199
    late = ((row * 31 % 100) / 100 < spread).astype(int)
    logits = np.stack([np.sin(row), np.cos(row * 1.7), np.sin(row * 0.3), np.full(200, -9.0)], axis=1)
    classes = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    examples = [
        binary("distinct", spread, late),
        binary("ties", np.round(spread, 1).clip(0.05, 0.95), late),
        binary("all tied", np.full(200, 0.25), late),
        multiclass(classes, (row * row % 3)),
        regression(np.sin(row) * 10, np.sin(row) * 9 + (row % 7) - 3),
    ]
    sys.stdout.write(json.dumps(examples, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
