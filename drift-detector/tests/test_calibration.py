import math

import numpy as np
import pytest

from leeway_drift.detectors.interface import Verdict
from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile
from leeway_drift.profile.calibrate import window_probability
from leeway_drift.statistics.max_t import MINIMUM_SPREAD, Spread, largest, spread_of, threshold_of
from tests.profiled import world


@pytest.fixture(scope="module")
def profile() -> Profile:
    return Profile.parse(world(80).profile())


def test_every_detector_is_calibrated_on_every_window_that_has_its_reference(profile: Profile):
    windows = {key: threshold.windows for key, threshold in profile.thresholds.items()}
    assert (profile.window_rows, profile.window_seconds) == (500, 86_400.0)
    assert profile.windows == 79  # the last day ends with the reference, so its last tick is not known to be over
    training, trailing = profile.windows, profile.windows - 7
    assert windows == {
        "abrupt/trailing": trailing,
        "slow/training": training,
        "relation/training": training,
        "prediction/training": training,
        "prediction/trailing": trailing,
        "tabular/training": training,
    }


def test_context_features_teach_no_threshold(profile: Profile):
    scored = {name for threshold in profile.thresholds.values() for name, _ in threshold.spreads}
    assert "load" in scored
    assert not any("hour" in name.split("~") for name in scored)


def test_windows_that_were_not_seen_are_over_about_as_often_as_said(profile: Profile):
    fresh = world(300, seed=1).windows(profile.plan)
    wanted = window_probability(86_400, profile.target_false_alarms_per_30_days or math.nan)
    for detector in native_detectors(profile)[1:]:
        judged = [detector.judge(window, fresh[max(0, i - 7) : i]) for i, window in enumerate(fresh)]
        over = np.mean([judgement.verdict is Verdict.OVER for judgement in judged])
        assert over <= 3 * wanted, (detector.name, detector.reference, over)


def test_rate_of_alarms_is_shared_by_the_detectors_and_needs_two_of_three_windows():
    daily = window_probability(86_400, 1.0)
    assert 30 * 3 * daily**2 * 6 == pytest.approx(1.0)
    assert window_probability(3600, 1.0) < daily


def test_short_reference_is_not_overtaught():
    assert window_probability(30 * 86_400, 100.0) == 0.25


def test_threshold_is_exceeded_with_the_probability_asked_for():
    values = np.arange(1, 101, dtype=np.float64)
    assert np.mean(values >= threshold_of(values, 0.05)) == 0.05


def test_threshold_is_never_below_what_one_column_exceeds_in_ten_windows():
    assert threshold_of(np.zeros(50), 0.05) == 1.0


def test_alarm_rarer_than_the_reference_is_long_is_not_taught_by_its_largest_window():
    random = np.random.default_rng(0)
    wanted, exceeded, by_largest = 0.001, [], []
    for _ in range(200):
        values = 1 + random.exponential(1, 60)
        exceeded.append(math.exp(1 - threshold_of(values, wanted)))
        by_largest.append(math.exp(1 - values.max()))
    assert np.median(exceeded) < 2 * wanted < 10 * wanted < np.median(by_largest)


def test_one_missing_score_hides_no_other_column():
    scores = {("a", "psi"): np.array([np.nan, 0.2]), ("b", "psi"): np.array([0.9, np.nan])}
    spreads = {key: Spread(0.1, 0.1) for key in scores}
    assert largest(scores, spreads).tolist() == pytest.approx([8.0, 1.0])


def test_column_that_never_moved_must_move_by_something_that_matters():
    spread = spread_of("psi", np.zeros(100))
    assert spread == Spread(0.0, MINIMUM_SPREAD["psi"])


def test_column_without_a_score_in_half_of_the_windows_is_left_out():
    assert spread_of("psi", np.array([0.1, np.nan, np.nan])) is None
