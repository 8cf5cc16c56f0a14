"""What the methods say of windows: shifts are found, nature and nulls are not taken for drift."""

import logging

import numpy as np
import pytest
from examples import BLOCK_ROWS, FEATURES, reference, rows

from leeway_alibi.calibration import MIN_BLOCKS, Blocks
from leeway_alibi.classifier import Classifier
from leeway_alibi.methods import Thresholds
from leeway_alibi.table import Table
from leeway_alibi.version import Version
from leeway_drift.detectors.interface import Judgement, Reference, Verdict
from leeway_drift.statistics.max_t import Spread

RATE = 0.05
DISTANCES = Thresholds(
    {("temp", "ks"): Spread(0.15, 0.1), ("distance", "ks"): Spread(0.03, 0.02), ("carrier", "tvd"): Spread(0.02, 0.02)},
    limit=2.0,
    calibrated=True,
)
"""As a profile has them of this reference: temp swings with the season, the others do not."""


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    logging.getLogger("alibi_detect").setLevel(logging.ERROR)


@pytest.fixture(scope="module")
def calibrated() -> Version:
    table, block = reference()
    return Version(table, block, tabular=DISTANCES, rate=RATE)


def judged(version: Version, window: Table, of: int | None = None, *, comparable: bool = True) -> dict[str, Judgement]:
    judgements = version.judge(window, rows=len(window) if of is None else of, comparable=comparable)
    return {judgement.detector: judgement for judgement in judgements}


def test_every_method_judges_against_training_by_a_calibrated_threshold(calibrated: Version) -> None:
    judgements = judged(calibrated, rows(1000, seed=1000, missing=0.02))

    assert judgements.keys() == {"tabular", "classifier"}
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

    for judgement in judgements.values():
        assert judgement.verdict is Verdict.OVER, judgement.detector
    assert judgements["classifier"].columns == ()
    assert judgements["tabular"].columns[0].name == "temp"
    assert judgements["tabular"].columns[0].score_ratio == judgements["tabular"].score_ratio
    assert judgements["tabular"].reason.startswith("temp: ")


def test_only_the_classifier_finds_what_no_single_column_shows(calibrated: Version) -> None:
    window = rows(1000, seed=20)
    window.numbers[:, 1] = window.numbers[:, 0]  # which were independent

    judgements = judged(calibrated, window)

    assert judgements["tabular"].verdict is Verdict.WITHIN
    assert judgements["classifier"].verdict is Verdict.OVER


def test_a_classifier_that_knows_every_day_by_itself_says_that_it_can_see_nothing_else() -> None:
    table, block = reference()
    table.numbers[:, 0] = block * 10  # as if the weather of each day were its own

    judgements = judged(Version(table, block, tabular=DISTANCES, rate=RATE), rows(1000, seed=21))

    assert judgements["classifier"].verdict is Verdict.INSUFFICIENT
    assert "tells windows of the reference from the rest without any drift" in judgements["classifier"].reason


def test_a_sample_of_a_large_window_is_no_further_from_training_than_the_window() -> None:
    """Few of many rows differ by chance alone; the thresholds are for whole windows, which differ less."""
    version = Version(reference()[0], None, tabular=DISTANCES, rate=RATE, taught={"reason": "not asked"})
    few = [judged(version, rows(60, seed=seed), of=100_000)["tabular"] for seed in range(20)]
    as_if_all = [judged(version, rows(60, seed=seed))["tabular"] for seed in range(20)]
    far = judged(version, rows(60, seed=22, season=2.5), of=100_000)["tabular"]

    assert sum(judgement.verdict is Verdict.OVER for judgement in as_if_all) > 10
    assert sum(judgement.verdict is Verdict.OVER for judgement in few) < 10
    assert far.verdict is Verdict.OVER


def test_a_window_smaller_than_those_that_taught_the_thresholds_is_judged_uncalibrated(calibrated: Version) -> None:
    judgements = judged(calibrated, rows(1000, seed=23), comparable=False)

    assert not any(judgement.calibrated for judgement in judgements.values())


def test_what_was_taught_is_not_learnt_again(calibrated: Version) -> None:
    table, _ = reference()
    other = np.zeros(len(table), dtype=np.int32)  # nothing can be learnt from a single block
    window = rows(BLOCK_ROWS, seed=24)

    successor = Version(table, other, tabular=DISTANCES, rate=RATE, taught=calibrated.taught)

    assert successor.taught == calibrated.taught
    assert judged(successor, window)["classifier"].score_ratio == judged(calibrated, window)["classifier"].score_ratio


def test_the_first_blocks_in_order_of_calibration_are_spread_over_the_whole_time() -> None:
    table, block = reference()
    order = Blocks(table, block).spread_out()

    assert sorted(order) == list(range(len(order)))
    for count in (5, 10, MIN_BLOCKS):
        gaps = np.diff([0, *sorted(order[:count]), len(order)])
        assert gaps.max() <= 2 * len(order) / count + 1


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
    assert judgements["tabular"].reason == "no feature has 50 values"
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
        assert judgement.score_ratio is not None, name
        assert np.isfinite(judgement.score_ratio), name


def test_fewer_rows_than_a_block_are_insufficient_for_the_classifier(calibrated: Version) -> None:
    judgement = judged(calibrated, rows(BLOCK_ROWS - 1, seed=9, season=2.5))["classifier"]

    assert judgement.verdict is Verdict.INSUFFICIENT
    assert judgement.reason == "59 rows of the window were kept, expected at least 60"


def test_equal_windows_get_equal_judgements(calibrated: Version) -> None:
    assert judged(calibrated, rows(300, seed=10)) == judged(calibrated, rows(300, seed=10))


@pytest.mark.parametrize("blocks", [None, MIN_BLOCKS - 1])
def test_without_enough_blocks_in_order_of_time_the_classifier_is_not_calibrated(blocks: int | None) -> None:
    table, block = reference(blocks=blocks or MIN_BLOCKS)
    version = Version(table, None if blocks is None else block, tabular=DISTANCES, rate=RATE)

    judgement = judged(version, rows(1000, seed=11, season=2.5))["classifier"]

    assert judgement.verdict is Verdict.OVER
    assert not judgement.calibrated


def test_a_reference_of_nulls_makes_every_method_insufficient() -> None:
    table, block = reference()
    table.numbers[:] = np.nan
    table.codes[:] = -1
    judgements = judged(Version(table, block, tabular=DISTANCES, rate=RATE), rows(1000, seed=13))

    assert {judgement.verdict for judgement in judgements.values()} == {Verdict.INSUFFICIENT}
    assert all(judgement.reason for judgement in judgements.values())


def test_a_method_that_refuses_the_reference_costs_no_other_one() -> None:
    """Alibi-Detect refuses now and then: with a ValueError where a statistic falls on a step."""

    def refuse(reference: Table) -> Classifier:
        raise ValueError(f"p < 0, p > 1 or p is NaN, of {len(reference)} rows")

    table, _ = reference()
    judgements = judged(Version(table, None, tabular=DISTANCES, rate=RATE, fit=refuse), rows(1000, seed=14))

    assert judgements["classifier"].verdict is Verdict.INSUFFICIENT
    assert judgements["classifier"].reason.startswith("Alibi-Detect cannot: p < 0")
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
