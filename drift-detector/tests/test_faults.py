import pytest

from leeway_drift.profile import Profile
from tests.profiled import world


@pytest.fixture(scope="module")
def faults() -> dict[tuple[str, str], dict]:
    profile = Profile.parse(world(80).profile())
    return {(fault["column"], fault["fault"]): dict(fault) for fault in profile.faults}


def test_every_monitored_feature_is_tried_and_no_context(faults: dict):
    assert {column for column, _ in faults} == {"load", "heat", "rain", "city", "region"}
    assert len(faults) == 3 * 7 + 2 * 4


@pytest.mark.parametrize(
    ("column", "fault", "detector"),
    [
        ("load", "null_storm_30_percent", "data_quality/training"),
        ("load", "sentinel_-999_10_percent", "data_quality/training"),
        ("load", "stuck", "data_quality/training"),
        ("heat", "fahrenheit_to_celsius", "abrupt/trailing"),
        ("load", "times_60", "slow/training"),
        ("city", "renamed_category", "data_quality/training"),
        ("city", "swapped_codes", "relation/training"),
    ],
)
def test_fault_is_seen_by_the_detector_meant_for_it(faults: dict, column: str, fault: str, detector: str):
    found = faults[column, fault]
    assert found["detectors"][detector] == found["seen"] == found["starts"] == 5


def test_what_cannot_be_seen_is_said(faults: dict):
    assert faults["rain", "nulls_imputed_as_0_30_percent"]["seen"] < 5
    assert "relation/training" not in faults["load", "null_storm_30_percent"]["detectors"]


def test_without_calibration_nothing_is_promised():
    assert Profile.parse(world(4).profile()).faults == ()
