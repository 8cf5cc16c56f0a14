"""Data that breaks its declaration is refused with what is wrong where; data that keeps it becomes three periods."""

from collections.abc import Callable
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from leeway_training.dataset import build_dataset
from leeway_training.errors import Refused

from .world import Configure


def _put(column: str, row: int, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Read the frame again with one other value in it, so that its columns get the types a file would give them."""

    def put(frame: pd.DataFrame) -> pd.DataFrame:
        text = frame.astype({column: object})
        text.loc[row, column] = value
        return pd.read_csv(StringIO(text.to_csv(index=False)))

    return put


def _repeat_a_row(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.iloc[[5, 5]]], ignore_index=True)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda frame: frame.drop(columns=["wind", "van"]), ["column wind: is missing", "column van: is missing"]),
        (lambda frame: frame.drop(columns="parcel"), ["column parcel: is missing"]),
        (_put("load", 4, "heavy"), ["load", "'heavy' in row 4"]),
        (lambda frame: frame.assign(side=1), ["column side: holds int64; expected strings"]),
        (lambda frame: frame.assign(delay=99.0), ["split.train: no row of class 0 (delay)"]),
        (lambda frame: frame.head(10), ["split.train", "expected at least 1000"]),
        (_repeat_a_row, ["key (at, parcel): 2 of 6554 rows are wrong, first row 6552"]),
        (_put("at", 3, None), ["column at: 1 of 6552 rows are null, first row 3"]),
        (_put("at", 3, "soon"), ["row 3 ('soon')"]),
        (_put("load", 8, None), ["column load", "first row 8", "not nullable"]),
        (_put("load", 8, 201), ["first row 8 (201.0)", "at most 200"]),
        (_put("load", 8, np.inf), ["first row 8 (inf)"]),
        (_put("side", 8, "up"), ["first row 8 (up)", "one of north, south"]),
        (lambda frame: frame.assign(wind=np.nan), ["column wind: has no value in the training period"]),
    ],
    ids=[
        "missing columns", "missing key", "text among numbers", "numbers for strings", "constant label", "ten rows",
        "duplicate keys", "null time", "unparsable time", "null feature", "above range", "infinite", "unknown category",
        "empty feature",
    ],
)  # fmt: skip
def test_broken_data_is_refused_with_what_is_wrong_where(
    configure: Configure, frame: pd.DataFrame, damage: Callable[[pd.DataFrame], pd.DataFrame], named: list[str]
):
    frame.loc[8, "delay"] = 0.0  # the damaged row is a labelled one
    with pytest.raises(Refused) as refused:
        build_dataset(damage(frame), configure())
    for part in named:
        assert part in str(refused.value)


def test_an_unknown_class_is_refused(configure: Configure, frame: pd.DataFrame):
    target = "target={task: multiclass_classification, column: grade, classes: [early, due, lost]}"
    with pytest.raises(Refused, match="column grade: holds 'late'"):
        build_dataset(frame, configure(target, "gate={accuracy: {at_least: 0}}", "baseline=null"))


def test_a_constant_number_cannot_be_learnt(configure: Configure, frame: pd.DataFrame):
    overrides = (
        "target={task: regression, column: delay}",
        "model.estimator=ridge",
        "gate={r2: {at_least: 0}}",
        "baseline=null",
    )
    with pytest.raises(Refused, match=r"every delay is 1\.0"):
        build_dataset(frame.assign(delay=1.0), configure(*overrides))


def test_the_periods_are_cut_at_local_midnight_and_in_order_of_time(configure: Configure, frame: pd.DataFrame):
    dataset = build_dataset(frame, configure())
    times = {name: getattr(dataset, name).frame["at"] for name in ("train", "validation", "test")}
    # Berlin is an hour ahead of UTC in winter, and two from 31 March.
    assert str(times["train"].max()) == "2024-02-29 22:00:00+00:00"
    assert str(times["validation"].min()) == "2024-02-29 23:00:00+00:00"
    assert str(times["test"].max()) == "2024-03-31 21:00:00+00:00"
    assert all(part.is_monotonic_increasing for part in times.values())


def test_the_order_of_the_file_does_not_matter(configure: Configure, frame: pd.DataFrame):
    first = build_dataset(frame, configure()).train
    second = build_dataset(frame.sort_values("load"), configure()).train
    pd.testing.assert_frame_equal(first.features.reset_index(drop=True), second.features.reset_index(drop=True))
    assert np.array_equal(first.labels, second.labels)


def test_rows_without_a_label_are_left_out_and_counted(configure: Configure, frame: pd.DataFrame):
    dataset = build_dataset(frame, configure())
    assert dataset.unlabelled == int(frame["delay"].isna().sum()) > 0
    assert not dataset.train.frame["delay"].isna().any()


def test_a_declared_instrument_fault_becomes_a_missing_value(configure: Configure, frame: pd.DataFrame):
    frame.loc[frame["wind"] == 999, "delay"] = 1.0
    dataset = build_dataset(frame, configure())
    assert dataset.taken_as_missing == {"wind": 1}
    assert np.nanmax(dataset.train.features["wind"]) <= 60


def test_features_are_float32_before_anything_is_fitted(configure: Configure, frame: pd.DataFrame):
    features = build_dataset(frame, configure()).train.features
    assert [str(kind) for kind in features.dtypes] == ["float32", "float32", "object", "object"]
