"""The metrics are scikit-learn's, the intervals know that days differ, the gate lets nothing unknown through."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, mean_absolute_error, r2_score, roc_auc_score

from leeway_training.config import Threshold
from leeway_training.dataset import build_dataset
from leeway_training.errors import Refused
from leeway_training.evaluate import check_gate, evaluate, intervals, rule_of_thumb

from .world import Configure

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(1, 19).map(lambda n: n / 20), st.integers(0, 3)), min_size=2, max_size=60
).filter(lambda rows: all(any(label == side and weight for label, _, weight in rows) for side in (0, 1)))


@given(ROWS)
def test_binary_metrics_equal_scikit_learns_with_ties_and_weights(rows: list[tuple[int, float, int]]):
    truth, score, weights = (np.array(column) for column in zip(*rows, strict=True))
    metrics = evaluate("binary_classification", truth, np.column_stack([1 - score, score]), weights.astype(float))
    assert metrics["auc"] == pytest.approx(roc_auc_score(truth, score, sample_weight=weights))
    assert metrics["log_loss"] == pytest.approx(log_loss(truth, score, sample_weight=weights))
    assert metrics["brier"] == pytest.approx(brier_score_loss(truth, score, sample_weight=weights))
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, score > 0.5, sample_weight=weights))


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=40))
def test_regression_metrics_equal_scikit_learns(rows: list[tuple[int, int]]):
    truth, answer = (np.array(column, float) for column in zip(*rows, strict=True))
    if np.ptp(truth) == 0:
        truth[0] += 1
    metrics = evaluate("regression", truth, answer.reshape(-1, 1))
    assert metrics["r2"] == pytest.approx(r2_score(truth, answer))
    assert metrics["mae"] == pytest.approx(mean_absolute_error(truth, answer))
    assert metrics["rmse"] == pytest.approx(math.sqrt(np.mean((truth - answer) ** 2)))


def test_a_certain_and_wrong_answer_costs_much_but_not_infinitely():
    metrics = evaluate("binary_classification", np.array([1, 0]), np.array([[1.0, 0.0]] * 2))
    assert metrics["log_loss"] == pytest.approx(-math.log(1e-7) / 2)


def test_intervals_hold_the_estimate_and_repeat_exactly(configure: Configure, frame: pd.DataFrame):
    rows = build_dataset(frame, configure()).test
    score = np.clip(rows.features["load"].to_numpy(float) / 200, 0.01, 0.99)
    answers = np.column_stack([1 - score, score])
    spread = intervals("binary_classification", rows, answers)
    for name, value in evaluate("binary_classification", rows.labels, answers).items():
        low, high = spread[name]
        assert low < value < high
    assert intervals("binary_classification", rows, answers) == spread


def test_the_rule_answers_with_the_rates_of_the_training_period(configure: Configure, frame: pd.DataFrame):
    config = configure()
    data = build_dataset(frame, config)
    baseline = rule_of_thumb(config.baseline, data.train, data.test)
    above = data.test.features["load"].to_numpy() > 100
    rates = [data.train.labels[(data.train.features["load"] > 100) == side].mean() for side in (False, True)]
    expected = log_loss(data.test.labels, np.where(above, rates[1], rates[0]))
    assert baseline.metrics["log_loss"] == pytest.approx(expected, rel=1e-3)
    assert baseline.score_auc > baseline.metrics["auc"] > 0.5


@pytest.mark.parametrize("value", [0.79, math.nan])
def test_the_gate_refuses_what_is_worse_or_unknown(value: float):
    with pytest.raises(Refused, match=r"gate\.auc: .* expected at least 0\.8"):
        check_gate({"auc": Threshold(at_least=0.8)}, {"auc": value})


@pytest.mark.parametrize("value", [0.31, math.nan])
def test_the_gate_refuses_a_loss_above_its_bound_or_unknown(value: float):
    with pytest.raises(Refused, match=r"gate\.log_loss: .* expected at most 0\.3"):
        check_gate({"log_loss": Threshold(at_most=0.3)}, {"log_loss": value})


def test_the_gate_lets_the_bound_itself_pass():
    check_gate({"auc": Threshold(at_least=0.8), "log_loss": Threshold(at_most=0.3)}, {"auc": 0.8, "log_loss": 0.3})
