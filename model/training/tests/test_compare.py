"""Candidates are judged on what lies after what they have learnt, and the card tells how each of them did."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from leeway_training.compare import compare
from leeway_training.dataset import Rows, build_dataset
from leeway_training.errors import Refused
from leeway_training.folds import folds, honest_answers

from .world import CANDIDATES, MULTICLASS, REGRESSION, UNTIMED, Configure, Run


def _rows(blocks: np.ndarray, *, timed: bool) -> Rows:
    frame = pd.DataFrame({"x": np.arange(len(blocks), dtype=np.float32)})
    return Rows(frame, np.arange(len(blocks)), blocks, blocks * 86400 if timed else None, frame, None)


@given(arrays.arrays(np.int64, st.integers(20, 200), elements=st.integers(0, 30)))
def test_in_time_no_day_is_judged_before_or_while_it_is_learnt(days: np.ndarray):
    days = np.sort(days)
    judged_before = -1
    for learnt, judged in folds(_rows(days, timed=True)):
        if learnt.size and judged.size:
            assert days[learnt].max() < days[judged].min()
            assert days[judged].min() > judged_before
            judged_before = days[judged].max()


@given(st.integers(5, 200))
def test_without_time_every_row_is_judged_once_and_never_by_itself(count: int):
    pairs = list(folds(_rows(np.arange(count), timed=False)))
    assert sorted(np.concatenate([judged for _, judged in pairs])) == list(range(count))
    for learnt, judged in pairs:
        assert not set(learnt) & set(judged)
        assert len(learnt) + len(judged) == count


def test_the_best_by_the_gates_first_metric_is_trained_and_the_card_lists_all(
    configure: Configure, run: Run, frame: pd.DataFrame
):
    config = configure(*CANDIDATES)
    data = build_dataset(frame, config)
    compared = compare(config, data.train, data.validation)
    assert compared[-1].candidate.estimator == "random_forest"  # five stumps
    assert [one.mean for one in compared] == sorted((one.mean for one in compared), reverse=True)
    assert all(len(one.scores) == 4 and one.sd > 0 for one in compared)
    card = run(config, frame).files["MODEL_CARD.md"].decode()
    assert f"## Model\n\n{compared[0].candidate} behind" in card
    for one in compared:
        assert f"| {one.candidate} | {one.mean:.4f} | {one.sd:.4f} |" in card


def test_less_is_better_where_the_gate_bounds_from_above(configure: Configure, frame: pd.DataFrame):
    config = configure(*CANDIDATES, "gate={log_loss: {at_most: 1}}")
    data = build_dataset(frame, config)
    means = [one.mean for one in compare(config, data.train, data.validation)]
    assert means == sorted(means)


def test_a_fold_without_a_class_is_refused_by_its_number(configure: Configure, frame: pd.DataFrame):
    config = configure(*CANDIDATES)
    frame.loc[(frame["at"] < "2024-01-20") & frame["delay"].notna(), "delay"] = 0.0
    data = build_dataset(frame, config)
    with pytest.raises(Refused, match=r"fold 1: learns from no row of class 1 \(delay\)"):
        compare(config, data.train, data.validation)


@pytest.mark.parametrize("task", [(), REGRESSION, MULTICLASS], ids=["binary", "regression", "multiclass"])
@pytest.mark.parametrize("estimator", ["random_forest", "hist_gradient_boosting"])
def test_trees_convert_exactly_for_every_task(
    configure: Configure, run: Run, frame: pd.DataFrame, task: tuple[str, ...], estimator: str
):
    trees = {"random_forest": "{n_estimators: 10, min_samples_leaf: 20}", "hist_gradient_boosting": "{max_iter: 20}"}
    config = configure(*task, f"model.estimator={estimator}", f"model.params={trees[estimator]}")
    assert "no label differs" in run(config, frame).files["MODEL_CARD.md"].decode()


@pytest.mark.parametrize("order", [("data.key=[at, parcel]",), ("data.key=[]",)], ids=["key", "no key"])
def test_rows_without_time_are_split_by_the_seed(
    configure: Configure, run: Run, frame: pd.DataFrame, order: tuple[str, ...]
):
    bundle = run(configure(*UNTIMED, *order), frame)
    manifest = json.loads(bundle.files["manifest.json"])
    assert "time_span" not in manifest["data"]
    assert "time_column" not in manifest
    assert json.loads(bundle.files["drift-profile.json"])["calibration"]["method"] == "none"
    assert run(configure(*UNTIMED, *order), frame).digest == bundle.digest
    shuffled = run(configure(*UNTIMED, *order), frame.sample(frac=1, random_state=1)).digest
    assert (shuffled == bundle.digest) == ("key=[at" in order[0])
    assert run(configure(*UNTIMED, *order, "split.random.seed=2"), frame).digest != bundle.digest


def test_honest_answers_are_those_of_a_model_that_has_not_seen_the_row(configure: Configure, frame: pd.DataFrame):
    config = configure("model.estimator=random_forest", "model.params={n_estimators: 10}")
    train = build_dataset(frame, config).train
    answers = honest_answers(config, config.model.choices[0], train)
    assert answers.sum(axis=1) == pytest.approx(1)
    # A forest of full trees is right on nearly every row it was fitted on; the world's noise does not allow that.
    assert (answers.argmax(axis=1) == train.labels).mean() < 0.9


def test_labels_that_differ_in_one_week_only_are_refused(configure: Configure, run: Run, frame: pd.DataFrame):
    quiet = (frame["at"] < "2024-02-22") & frame["delay"].notna()
    frame.loc[quiet, "delay"] = 0.0
    with pytest.raises(Refused, match=r"split\.train: without part 5 of 5 every delay is the same"):
        run(configure("gate={auc: {at_least: 0}}"), frame)
