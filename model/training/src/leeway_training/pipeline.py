"""Preprocessing and estimator as one scikit-learn pipeline, so that one graph can be exported from it."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from leeway_training.config import Candidate, Config
from leeway_training.dataset import Rows
from leeway_training.errors import Problem, Refused

STEP = "fit"
_CLASSIFIERS = {
    "logistic_regression": LogisticRegression,
    "hist_gradient_boosting": HistGradientBoostingClassifier,
    "random_forest": RandomForestClassifier,
}
_REGRESSORS = {
    "ridge": Ridge,
    "hist_gradient_boosting": HistGradientBoostingRegressor,
    "random_forest": RandomForestRegressor,
}
# They draw random numbers, and they split at thresholds: scaling first would only round what they compare.
_TREES = frozenset({"hist_gradient_boosting", "random_forest"})


def categories(config: Config, train: pd.DataFrame) -> dict[str, list[str]]:
    """Name the categories of every categorical feature: as declared, else those of the training period, sorted."""
    return {
        feature.name: list(feature.categories) if feature.categories else sorted(train[feature.name].unique())
        for feature in config.categorical
    }


def fit(config: Config, candidate: Candidate, train: Rows) -> Pipeline:
    """Fit median imputation, scaling (not for trees), one-hot encoding and the estimator on the training period.

    One BLAS and OpenMP thread: the order of floating-point sums, and with it the digest, must not depend on the
    machine's cores.

    Raises:
        Refused: a parameter the estimator does not know or accept, or no convergence.
    """
    trees = candidate.estimator in _TREES
    makers = _REGRESSORS if config.target.task == "regression" else _CLASSIFIERS
    params: dict[str, Any] = ({"random_state": 0} if trees else {}) | candidate.params
    try:
        estimator = makers[candidate.estimator](**params)
        pipeline = Pipeline([("prepare", _preparation(config, train.features, scaled=not trees)), ("model", estimator)])
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            pipeline.fit(train.features, train.labels)
    except (TypeError, ValueError) as error:  # scikit-learn's InvalidParameterError is a ValueError
        problem = Problem("model.params", str(error), f"parameters of {candidate.estimator}")
        raise Refused(STEP, [problem]) from error
    except ConvergenceWarning as error:
        problem = Problem("model.params", str(error).splitlines()[0], "a fit that converges: raise max_iter")
        raise Refused(STEP, [problem]) from error
    return pipeline


def answers_of(estimator: Any, features: Any) -> npt.NDArray[np.float64]:
    """Ask a fitted scikit-learn estimator: probabilities ``[n, classes]``, or numbers ``[n, 1]`` for regression."""
    with threadpool_limits(1):
        if hasattr(estimator, "predict_proba"):
            return np.asarray(estimator.predict_proba(features), np.float64)
        return np.asarray(estimator.predict(features), np.float64).reshape(-1, 1)


def _preparation(config: Config, train: pd.DataFrame, *, scaled: bool) -> ColumnTransformer:
    known = categories(config, train)
    parts = []
    if config.numeric:
        impute = SimpleImputer(strategy="median")
        numbers = make_pipeline(impute, StandardScaler()) if scaled else impute
        parts.append(("numeric", numbers, [feature.name for feature in config.numeric]))
    if config.categorical:
        encode = OneHotEncoder(
            categories=[np.array(values, dtype=object) for values in known.values()],
            handle_unknown="ignore",
            sparse_output=False,
            dtype=np.float32,
        )
        parts.append(("categorical", encode, list(known)))
    return ColumnTransformer(parts)
