"""What the methods say of windows: shifts are found, nature and nulls are not taken for drift."""

import logging

import numpy as np
import pytest
from examples import BLOCK_ROWS, FEATURES, reference, rows

from leeway_alibi.table import Table
from leeway_alibi.tabular import FittedTabular, Tabular
from leeway_alibi.version import METHODS, Version
from leeway_drift.detectors.interface import Judgement, Reference, Verdict

RATE = 0.05


@pytest.fixture(scope="module")
def calibrated() -> Version:
    logging.getLogger("alibi_detect").setLevel(logging.ERROR)
    table, block = reference()
    return Version(table, block, RATE)


def judged(version: Version, window: Table) -> dict[str, Judgement]:
    return {judgement.detector: judgement for judgement in version.judge(window)}


def test_every_method_judges_against_training_by_a_calibrated_threshold(calibrated: Version) -> None:
    judgements = judged(calibrated, rows(1000, seed=1000, missing=0.02))

    assert judgements.keys() == METHODS.keys()
    for judgement in judgements.values():
        assert judgement.reference is Reference.TRAINING
        assert judgement.calibrated
        assert judgement.verdict is Verdict.WITHIN
        assert judgement.score_ratio is not None
        assert judgement.score_ratio < 1


def test_a_season_as_warm_as_those_of_the_reference_is_no_drift(calibrated: Version) -> None:
    for name, judgement in judged(calibrated, rows(1000, seed=7, season=0.45)).items():
        assert judgement.verdict is Verdict.WITHIN, name


def test_a_shift_is_found_and_its_column_named_first(calibrated: Version) -> None:
    judgements = judged(calibrated, rows(1000, seed=1000, season=2.5))

    for name in ("tabular", "classifier", "cvm_online"):
        assert judgements[name].verdict is Verdict.OVER, name
    assert judgements["classifier"].columns == ()
    for name in ("tabular", "cvm_online"):
        assert judgements[name].columns[0].name == "temp"
        assert judgements[name].columns[0].score_ratio == judgements[name].score_ratio
        assert judgements[name].reason.startswith("temp: ")


def test_tabular_reports_alibis_p_value_and_judges_by_distance(calibrated: Version) -> None:
    columns = {column.name: column for column in judged(calibrated, rows(1000, seed=2))["tabular"].columns}

    assert columns["temp"].statistics.keys() == {"ks", "ks_p"}
    assert columns["carrier"].statistics.keys() == {"tvd", "chi2", "chi2_p"}


def test_a_category_that_the_profile_does_not_list_is_a_difference(calibrated: Version) -> None:
    window = rows(1000, seed=3)
    window.codes[:, 0] = 3

    judgement = judged(calibrated, window)["tabular"]

    assert judgement.verdict is Verdict.OVER
    assert judgement.columns[0].name == "carrier"


def test_one_null_changes_no_verdict(calibrated: Version) -> None:
    window = rows(BLOCK_ROWS + 1, seed=4, season=2.5)
    window.numbers[0, 0] = np.nan

    assert judged(calibrated, window)["tabular"].verdict is Verdict.OVER
    assert judged(calibrated, window)["classifier"].verdict is Verdict.OVER


def test_a_window_of_nulls_is_insufficient_and_says_which_column(calibrated: Version) -> None:
    judgements = judged(calibrated, rows(200, seed=5, missing=1.0))

    assert {judgement.verdict for judgement in judgements.values()} == {Verdict.INSUFFICIENT}
    assert judgements["tabular"].reason == "every value of every feature is missing"
    assert "0 of 200 rows are complete" in judgements["classifier"].reason
    assert "temp is missing in 200" in judgements["classifier"].reason


def test_a_column_of_nulls_is_left_out_and_the_others_are_judged(calibrated: Version) -> None:
    window = rows(1000, seed=6)
    window.numbers[:, 0] = np.nan

    judgement = judged(calibrated, window)["tabular"]

    assert judgement.verdict is Verdict.WITHIN
    assert {column.name for column in judgement.columns} == {"distance", "carrier"}


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.float32(3.4e38), 0.0])
def test_hostile_numbers_are_judged_like_any_other(calibrated: Version, value: float) -> None:
    window = rows(1000, seed=8)
    window.numbers[:, 1] = value

    for name, judgement in judged(calibrated, window).items():
        assert judgement.verdict is not Verdict.INSUFFICIENT, name
        assert np.isfinite(judgement.score_ratio), name


def test_fewer_rows_than_a_block_are_insufficient(calibrated: Version) -> None:
    judgements = judged(calibrated, rows(BLOCK_ROWS - 1, seed=9, season=2.5))

    assert {judgement.verdict for judgement in judgements.values()} == {Verdict.INSUFFICIENT}
    assert judgements["tabular"].reason == "59 rows of the window were kept, expected at least 60"


def test_equal_windows_get_equal_judgements(calibrated: Version) -> None:
    assert calibrated.judge(rows(300, seed=10)) == calibrated.judge(rows(300, seed=10))


def test_without_order_of_time_nothing_is_calibrated_and_run_times_say_nothing() -> None:
    table, _ = reference()
    judgements = judged(Version(table, None, RATE), rows(1000, seed=11, season=2.5))

    for name in ("tabular", "classifier"):
        assert judgements[name].verdict is Verdict.OVER
        assert not judgements[name].calibrated
    for name in ("cvm_online", "fet_online"):
        assert judgements[name].verdict is Verdict.INSUFFICIENT
        assert "independent rows only" in judgements[name].reason


def test_too_few_blocks_calibrate_nothing() -> None:
    table, block = reference(blocks=49)
    assert not judged(Version(table, block, RATE), rows(1000, seed=12))["tabular"].calibrated


def test_a_reference_of_nulls_makes_every_method_insufficient() -> None:
    table, block = reference()
    table.numbers[:] = np.nan
    table.codes[:] = -1
    judgements = judged(Version(table, block, RATE), rows(1000, seed=13))

    assert {judgement.verdict for judgement in judgements.values()} == {Verdict.INSUFFICIENT}
    assert all(judgement.reason for judgement in judgements.values())


class Refusing(Tabular):
    """What Alibi-Detect does now and then: a ValueError where a statistic falls on a step."""

    name = "refusing"

    def fit(self, reference: Table) -> FittedTabular:
        raise ValueError(f"p < 0, p > 1 or p is NaN, of {len(reference)} rows")


def test_a_method_that_refuses_the_reference_costs_no_other_one() -> None:
    table, _ = reference()
    version = Version(table, None, RATE, {"refusing": Refusing, "tabular": Tabular})

    judgements = judged(version, rows(1000, seed=14))

    assert judgements["refusing"].verdict is Verdict.INSUFFICIENT
    assert judgements["refusing"].reason.startswith("Alibi-Detect cannot prepare refusing: p < 0")
    assert judgements["tabular"].verdict is Verdict.WITHIN


@pytest.mark.parametrize(
    ("numbers", "codes", "message"),
    [
        (np.zeros((5, 1)), np.zeros((5, 1), np.int16), r"expected \(2, 1\) columns"),
        (np.zeros((5, 2)), np.zeros((4, 1), np.int16), "expected equally many"),
        (np.zeros((5, 2)), np.full((5, 1), 4, np.int16), "codes outside"),
        (np.zeros((5, 2)), np.full((5, 1), -2, np.int16), "codes outside"),
    ],
)
def test_tables_that_do_not_fit_are_refused(numbers: np.ndarray, codes: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Table.of(FEATURES, numbers, codes)
