import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.detectors.concept import ConceptDetector
from leeway_drift.detectors.interface import Verdict
from leeway_drift.labels.cohorts import Labelled, before, closed_windows, cohort, usual_age
from leeway_drift.labels.performance import losses, performance
from leeway_drift.labels.target import Target, target_of
from leeway_drift.statistics.performance import Task
from tests.labelling import MANIFEST

GOLDEN = json.loads((Path(__file__).parent / "golden" / "performance_sklearn.json").read_text())


def target(task: str, columns: int) -> Target:
    return Target(Task(task), tuple(f"c{index}" for index in range(columns)))


@pytest.mark.parametrize("example", GOLDEN, ids=lambda example: example["name"])
def test_metrics_are_those_of_scikit_learn(example: dict):
    scores, labels = np.array(example["scores"]), np.array(example["labels"], dtype=np.float64)
    measured = performance(target(example["task"], scores.shape[1]), scores, labels)
    assert example["metrics"].keys() <= measured.keys()
    for metric, expected in example["metrics"].items():
        assert measured[metric] == pytest.approx(expected, rel=1e-12, abs=1e-12), metric


def test_the_loss_of_a_binary_label_is_the_brier_score_that_is_measured():
    example = next(example for example in GOLDEN if "brier" in example["metrics"])
    scores, labels = np.array(example["scores"]), np.array(example["labels"], dtype=np.float64)
    mean = losses(target(example["task"], scores.shape[1]), scores, labels).mean()
    assert mean == pytest.approx(example["metrics"]["brier"], rel=1e-12)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=5), st.integers(0, 4))
def test_no_answer_of_a_classifier_costs_more_than_1_or_less_than_nothing(weights: list[float], label: int):
    scores = np.array([weights]) / (sum(weights) or 1)
    [loss] = losses(target("multiclass_classification", len(weights)), scores, np.array([float(label % len(weights))]))
    assert 0 <= loss <= 1


def test_a_true_probability_costs_least_in_the_long_run():
    said = np.linspace(0, 1, 21)
    scores = np.stack([1 - said, said], axis=1)
    task = target("binary_classification", 2)
    expected = 0.7 * losses(task, scores, np.zeros(21)) + 0.3 * losses(task, scores, np.ones(21))
    assert said[expected.argmin()] == pytest.approx(0.3)


FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(FLOAT32, FLOAT32)
def test_no_value_costs_a_regression_more_than_1_however_large(predicted: float, true: float):
    regression = target("regression", 1)
    assert regression.allows(true)
    [loss] = losses(regression, np.array([[predicted]]), np.array([true]))
    assert 0 <= loss <= 1
    assert (loss == 0) == (predicted == true)


def test_a_label_that_no_prediction_could_equal_is_impossible():
    assert not target("regression", 1).allows(1e39)
    assert not target("regression", 1).allows(math.nan)


def test_one_class_alone_has_no_auc():
    measured = performance(target("binary_classification", 2), np.array([[0.5, 0.5]] * 3), np.ones(3))
    assert "auc" not in measured
    assert "log_loss" in measured


def labelled(times: list[int], delays: list[float] | None = None) -> Labelled:
    count = len(times)
    return Labelled(
        times=np.array(times, dtype=np.int64),
        delays=np.array(delays if delays is not None else [0.0] * count),
        scores=np.full((count, 2), 0.5),
        labels=np.zeros(count),
        requests=np.arange(count),
    )


def test_a_cohort_holds_what_had_the_same_time_to_be_labelled():
    second = 10**6
    rows = labelled([0, 50 * second, 90 * second, 91 * second], delays=[10.0, 11.0, 10.0, 0.0])
    chosen = cohort(rows, age=10.0, until=before(10.0, 100 * second))
    assert chosen.times.tolist() == [0, 90 * second]  # one label came late, one prediction is too young


def test_the_usual_age_waits_for_nine_of_ten_in_whole_minutes():
    assert usual_age(np.array([30.0] * 9 + [86400.0])) == pytest.approx(8700, abs=60)
    assert usual_age(np.array([61.0] * 20)) == 120
    assert usual_age(np.empty(0)) == 0


@given(st.lists(st.integers(0, 30), max_size=80), st.integers(1, 10), st.integers(-1, 30))
def test_windows_hold_each_row_once_and_no_instant_is_cut(times: list[int], size: int, after: int):
    windows = list(closed_windows(labelled(times), size, after))
    taken = [time for window in windows for time in window.times.tolist()]
    assert taken == sorted(taken)
    assert taken == sorted(time for time in times if after < time <= max(taken, default=after))
    assert all(window.count >= size for window in windows)
    assert sum(time > max(taken, default=after) for time in times) < size
    assert list(closed_windows(labelled(times), size, max(taken, default=after))) == []


SPREAD = {
    "auc": {"mean": 0.9, "sd": 0.01, "windows": 50},
    "calibration_gap": {"mean": 0.0, "sd": 0.02, "windows": 50},
}


@pytest.mark.parametrize(
    ("measured", "verdict", "worst"),
    [
        ({"auc": 0.88, "calibration_gap": 0.05}, Verdict.WITHIN, "calibration_gap"),
        ({"auc": 0.86, "calibration_gap": 0.0}, Verdict.OVER, "auc"),
        ({"auc": 0.99, "calibration_gap": 0.0}, Verdict.WITHIN, "auc"),
        ({"auc": 0.9, "calibration_gap": 0.07}, Verdict.OVER, "calibration_gap"),
        ({"auc": 0.9, "calibration_gap": -0.07}, Verdict.OVER, "calibration_gap"),
    ],
)
def test_concept_is_over_when_a_metric_is_worse_by_three_deviations(measured: dict, verdict: Verdict, worst: str):
    judgement = ConceptDetector(SPREAD, 1000, calibrated=True).judge(measured, 1000)
    assert (judgement.verdict, judgement.columns[0].name) == (verdict, worst)


@pytest.mark.parametrize(
    ("detector", "measured", "labels", "reason"),
    [
        (ConceptDetector(SPREAD, 1000), {"auc": 0.5}, 999, "999 labels of old enough predictions, needs 1000"),
        (ConceptDetector(SPREAD), {"auc": 0.5}, 499, "needs 500"),
        (ConceptDetector({}), {"auc": 0.5}, 5000, "the profile has no metric"),
        (ConceptDetector({"auc": {"mean": 0.9, "sd": 0.01, "windows": 9}}), {"auc": 0.5}, 5000, "10 labelled windows"),
        (ConceptDetector({"auc": {"mean": 0.9, "sd": 0.0, "windows": 50}}), {"auc": 0.5}, 5000, "none of the"),
        (ConceptDetector(SPREAD), {"mae": 0.5}, 5000, "none of the"),
    ],
)
def test_concept_without_evidence_is_insufficient(detector: ConceptDetector, measured: dict, labels: int, reason: str):
    judgement = detector.judge(measured, labels)
    assert judgement.verdict is Verdict.INSUFFICIENT
    assert judgement.score_ratio is None
    assert reason in judgement.reason


def test_a_target_is_read_from_the_manifest_or_else_from_the_outputs_names():
    assert target_of(MANIFEST, []) == Target(Task.BINARY, ("probabilities.0", "probabilities.1"), 0.5)
    assert target_of(None, ["label", "probabilities.1", "probabilities.0"]) == Target(
        Task.BINARY, ("probabilities.0", "probabilities.1")
    )
    assert target_of(None, ["prediction"]) == Target(Task.REGRESSION, ("prediction",))
    assert target_of(None, [f"probabilities.{index}" for index in range(3)]).task is Task.MULTICLASS
    assert target_of(None, ["logits"]) is None


@pytest.mark.parametrize(
    "manifest",
    [{}, {"task": 7}, {"task": "regression", "outputs": [{"dtype": "FP32", "name": "y", "shape": 3}]}, {"outputs": 3}],
)
def test_a_manifest_of_somebody_else_does_no_harm(manifest: dict):
    assert target_of(manifest, ["prediction"]) == Target(Task.REGRESSION, ("prediction",))


@pytest.mark.parametrize("outputs", [{}, {"c0": None, "c1": 1.0}, {"c0": 2.0, "c1": -1.0}, {"c0": 0.9, "c1": 0.9}])
def test_outputs_that_are_no_probabilities_are_no_scores(outputs: dict):
    assert target("binary_classification", 2).scores(outputs) is None


def test_a_single_probability_is_that_of_class_one():
    assert target("binary_classification", 1).scores({"c0": 0.25}) == (0.75, 0.25)
    assert target("regression", 1).scores({"c0": math.nan}) is None
