"""A small declared world whose truth is known: deliveries are later with load, and on the north side."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from leeway_training.bundle import Bundle
from leeway_training.config import Config

Configure = Callable[..., Config]
Run = Callable[[Config, pd.DataFrame], Bundle]

CONFIG = """
model:
  name: deliveries
  version: 1.0.0
  description: Whether a delivery is late.
  intended_use: Tests.
  estimator: logistic_regression
  params: {C: 1.0, max_iter: 500}
data:
  name: deliveries
  table: {path: deliveries.csv}
  key: [at, parcel]
time: {column: at, zone: Europe/Berlin}
split:
  train: {from: 2024-01-01, until: 2024-03-01}
  validate: {from: 2024-03-01, until: 2024-03-16}
  test: {from: 2024-03-16, until: 2024-04-01}
target: {task: binary_classification, column: delay, greater_than: 10}
unavailable_at_prediction: [arrived]
features:
  - {name: load, kind: numeric, minimum: 0, maximum: 200}
  - {name: wind, kind: numeric, nullable: true, minimum: 0, maximum: 60, out_of_range: missing}
  - {name: side, kind: categorical, categories: [north, south]}
  - {name: van, kind: categorical}
baseline: {column: load, greater_than: 100}
gate: {auc: {at_least: 0.8}}
"""

REGRESSION = (
    "target={task: regression, column: delay}",
    "model.estimator=ridge",
    "model.params={alpha: 1.0}",
    "gate={r2: {at_least: 0.5}}",
    "baseline=null",
)
MULTICLASS = (
    "target={task: multiclass_classification, column: grade, classes: [early, due, late]}",
    "gate={accuracy: {at_least: 0.5}}",
    "baseline=null",
)

UNTIMED = ("time=null", "split={random: {seed: 1}}")
CANDIDATES = (
    "model.estimator=null",
    "model.params={}",
    (
        "model.candidates=[{estimator: random_forest, params: {n_estimators: 5, max_depth: 1}}, "
        "{estimator: hist_gradient_boosting, params: {max_iter: 30}}, {estimator: logistic_regression}]"
    ),
)


def deliveries() -> pd.DataFrame:
    """Make 6,552 rows, three an hour from January to March, in no order; some labels and winds are missing."""
    generator = np.random.default_rng(7)
    hours = pd.date_range("2024-01-01", periods=91 * 24, freq="h", tz="UTC")
    rows = 3 * len(hours)
    side = generator.choice(["north", "south"], rows)
    load = generator.uniform(0, 200, rows).round(1)
    delay = (load - 100) / 5 + 10 * (side == "north") + generator.normal(0, 6, rows)
    wind = generator.gamma(2, 4, rows).round(2)
    wind[generator.random(rows) < 0.05] = np.nan
    wind[17] = 999.0
    delay[generator.random(rows) < 0.02] = np.nan
    frame = pd.DataFrame(
        {
            "at": np.repeat(hours.strftime("%Y-%m-%dT%H:%M:%SZ"), 3),
            "parcel": np.arange(rows) % 1000,
            "load": load,
            "wind": wind,
            "side": side,
            "van": generator.choice(["v1", "v2", "v3"], rows),
            "arrived": "later",
            "delay": delay,
            "grade": pd.cut(delay, [-np.inf, -5, 10, np.inf], labels=["early", "due", "late"]).astype(object),
        }
    )
    return frame.sample(frac=1, random_state=3).reset_index(drop=True)
