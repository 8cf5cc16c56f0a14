"""Preprocessing and estimator as one scikit-learn pipeline, so that one graph can be exported from it."""

import warnings

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from leeway_training.config import Config
from leeway_training.dataset import Rows
from leeway_training.errors import Problem, Refused

STEP = "fit"
_ESTIMATORS = {"logistic_regression": LogisticRegression, "ridge": Ridge}


def categories(config: Config, train: pd.DataFrame) -> dict[str, list[str]]:
    """Name the categories of every categorical feature: as declared, else those of the training period, sorted."""
    return {
        feature.name: list(feature.categories) if feature.categories else sorted(train[feature.name].unique())
        for feature in config.categorical
    }


def fit(config: Config, train: Rows) -> Pipeline:
    """Fit median imputation, scaling, one-hot encoding and the estimator on the training period.

    One BLAS thread: the order of floating-point sums, and with it the digest, must not depend on the machine's cores.

    Raises:
        Refused: a parameter the estimator does not know or accept, or no convergence.
    """
    try:
        estimator = _ESTIMATORS[config.model.estimator](**config.model.params)
        pipeline = Pipeline([("prepare", _preparation(config, train.features)), ("model", estimator)])
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            pipeline.fit(train.features, train.labels)
    except (TypeError, ValueError) as error:  # scikit-learn's InvalidParameterError is a ValueError
        problem = Problem("model.params", str(error), f"parameters of {config.model.estimator}")
        raise Refused(STEP, [problem]) from error
    except ConvergenceWarning as error:
        problem = Problem("model.params", str(error).splitlines()[0], "a fit that converges: raise max_iter")
        raise Refused(STEP, [problem]) from error
    return pipeline


def _preparation(config: Config, train: pd.DataFrame) -> ColumnTransformer:
    known = categories(config, train)
    parts = []
    if config.numeric:
        scale = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        parts.append(("numeric", scale, [feature.name for feature in config.numeric]))
    if config.categorical:
        encode = OneHotEncoder(
            categories=[np.array(values, dtype=object) for values in known.values()],
            handle_unknown="ignore",
            sparse_output=False,
            dtype=np.float32,
        )
        parts.append(("categorical", encode, list(known)))
    return ColumnTransformer(parts)
