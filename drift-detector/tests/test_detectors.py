"""Every kind of drift is seen by the detector that is meant for it, and nothing else makes it speak."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Detector, Judgement, Reference, Verdict, Window
from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile, build_profile
from tests.profiled import ROWS_PER_DAY, Change, World, world


@pytest.fixture(scope="module")
def profile() -> Profile:
    return Profile.parse(world(80).profile())


@pytest.fixture(scope="module")
def later() -> World:
    return world(20, seed=7)


def detector(profile: Profile, name: str, reference: Reference = Reference.TRAINING) -> Detector:
    return next(d for d in native_detectors(profile) if (d.name, d.reference) == (name, reference))


def judge_fault(profile: Profile, later: World, key: str, column: str, change: Change) -> tuple[Judgement, Judgement]:
    """The same day judged as it was and with one column changed, after seven healthy days."""
    name, reference = key.split("/")
    judging = detector(profile, name, Reference(reference))
    healthy = later.windows(profile.plan)
    faulty = later.changed(column, change).windows(profile.plan)
    return judging.judge(healthy[10], healthy[3:10]), judging.judge(faulty[10], healthy[3:10])


def swapped(values: np.ndarray) -> np.ndarray:
    return np.where(values == "Ash", "Birch", np.where(values == "Birch", "Ash", values))


def holed(values: np.ndarray) -> np.ndarray:
    return np.where(np.arange(values.size) % 3 == 0, np.float32(np.nan), values)


@pytest.mark.parametrize(
    ("key", "column", "change"),
    [
        ("data_quality/training", "load", holed),
        ("data_quality/training", "load", lambda v: np.where(np.arange(v.size) % 10 == 0, np.float32(-999), v)),
        ("data_quality/training", "load", lambda v: np.full_like(v, v[0])),
        ("data_quality/training", "hour", holed),
        ("data_quality/training", "city", lambda v: np.where(v == "Ash", "ash", v)),
        ("data_quality/training", "city", lambda v: np.full(v.size, 3.0, dtype=np.float32)),
        ("abrupt/trailing", "heat", lambda v: (v - 32) * np.float32(5 / 9)),
        ("abrupt/trailing", "city", lambda v: np.where(v == "Ash", "Fir", v)),
        ("slow/training", "load", lambda v: v + np.float32(15)),
        ("tabular/training", "load", lambda v: v + np.float32(15)),
        ("tabular/training", "city", lambda v: np.where(v == "Ash", "Fir", v)),
        ("relation/training", "city", swapped),
        ("relation/training", "heat", lambda v: v[::-1].copy()),
    ],
)
def test_fault_is_seen_and_named(profile: Profile, later: World, key: str, column: str, change: Change):
    before, after = judge_fault(profile, later, key, column, change)
    assert before.verdict is Verdict.WITHIN
    assert after.verdict is Verdict.OVER
    assert after.calibrated
    assert column in after.columns[0].name.split("~")
    assert after.reason.startswith(after.columns[0].name)
    assert after.score_ratio == after.columns[0].score_ratio >= 1


@pytest.mark.parametrize("reference", list(Reference))
def test_shifted_predictions_are_seen(profile: Profile, later: World, reference: Reference):
    judging = detector(profile, "prediction", reference)
    healthy = later.windows(profile.plan)
    shifted = replace(later, outputs={"probability": later.outputs["probability"] ** np.float32(0.2)})
    assert judging.judge(healthy[10], healthy[3:10]).verdict is Verdict.WITHIN
    assert judging.judge(shifted.windows(profile.plan)[10], healthy[3:10]).verdict is Verdict.OVER


def test_swapped_codes_of_equal_frequency_are_seen_by_their_relation_alone(profile: Profile, later: World):
    swapped = later.changed("city", lambda v: np.where(v == "Cedar", "Elm", np.where(v == "Elm", "Cedar", v)))
    judged = {d.name: d.judge(swapped.windows(profile.plan)[10], ()) for d in native_detectors(profile)}
    assert judged["relation"].verdict is Verdict.OVER
    for name in ("data_quality", "slow", "tabular"):
        assert judged[name].verdict is Verdict.WITHIN


def test_one_missing_value_hides_no_shift(profile: Profile, later: World):
    def shifted(values: np.ndarray) -> np.ndarray:
        moved = values + np.float32(15)
        moved[::ROWS_PER_DAY] = np.nan
        return moved

    for key in ("slow/training", "tabular/training", "abrupt/trailing"):
        _, after = judge_fault(profile, later, key, "load", shifted)
        assert after.verdict is Verdict.OVER, key


def test_a_single_infinity_raises_no_alarm(profile: Profile, later: World):
    def poisoned(values: np.ndarray) -> np.ndarray:
        changed = values.copy()
        changed[::ROWS_PER_DAY] = np.inf
        return changed

    for judging in native_detectors(profile):
        key = f"{judging.name}/{judging.reference}"
        _, after = judge_fault(profile, later, key, "load", poisoned)
        assert after.verdict is Verdict.WITHIN, key


def test_column_without_values_is_a_matter_of_quality_and_leaves_the_rest_judged(profile: Profile, later: World):
    gone = later.changed("load", lambda v: np.full_like(v, np.nan)).windows(profile.plan)[10]
    assert detector(profile, "data_quality").judge(gone, ()).reason.startswith("load: 100.0% missing")
    slow = detector(profile, "slow").judge(gone, ())
    assert slow.verdict is Verdict.WITHIN
    assert slow.columns[-1].name == "load"
    assert slow.columns[-1].score_ratio is None


def test_all_columns_gone_is_insufficient_and_never_within(profile: Profile):
    window = world(1).windows(profile.plan)[0]
    empty = Window(window.start, window.end, replace(Counts.none(profile.plan), rows=600, answered=600))
    for judging in native_detectors(profile)[1:]:
        judgement = judging.judge(empty, [empty] * 7)
        assert judgement.verdict is Verdict.INSUFFICIENT
        assert "50 values" in judgement.reason


def test_no_rows_are_insufficient(profile: Profile):
    window = world(1).windows(profile.plan)[0]
    none = Window(window.start, window.end, Counts.none(profile.plan))
    for judging in native_detectors(profile):
        judgement = judging.judge(none, [window] * 7)
        assert (judgement.verdict, judgement.score_ratio) == (Verdict.INSUFFICIENT, None)
        assert "0 rows" in judgement.reason


def test_trailing_reference_needs_all_of_its_windows(profile: Profile, later: World):
    windows = later.windows(profile.plan)
    judgement = detector(profile, "abrupt", Reference.TRAILING).judge(windows[6], windows[:6])
    assert judgement.verdict is Verdict.INSUFFICIENT
    assert judgement.reason == "6 of the 7 windows it is compared with are there"


def test_trailing_reference_is_the_last_seven_windows(profile: Profile, later: World):
    windows = later.windows(profile.plan)
    judging = detector(profile, "abrupt", Reference.TRAILING)
    assert judging.judge(windows[10], windows[:10]) == judging.judge(windows[10], windows[3:10])


def test_window_smaller_than_those_that_taught_the_threshold_does_not_page(profile: Profile, later: World):
    small = later.windows(profile.plan, rows=100)
    assert profile.window_rows > 100
    judgement = detector(profile, "slow").judge(small[0], ())
    assert not judgement.calibrated
    assert "100 rows" in judgement.reason


def test_window_of_an_hour_does_not_page_by_a_threshold_for_days(profile: Profile, later: World):
    window = later.windows(profile.plan)[0]
    judgement = detector(profile, "slow").judge(replace(window, end=window.start + timedelta(hours=1)), ())
    assert not judgement.calibrated
    assert "3600 s" in judgement.reason


def test_a_few_lost_answers_leave_the_judgement_of_predictions_calibrated(profile: Profile, later: World):
    window = later.windows(profile.plan, rows=profile.window_rows + 100)[0]
    lost = replace(window, counts=replace(window.counts, answered=profile.window_rows - 1))
    assert detector(profile, "prediction").judge(lost, ()).calibrated


def test_chance_alone_is_never_over_a_conventional_threshold():
    random = np.random.default_rng(0)
    rows, size = 200, 4000
    codes = np.array([f"k{index:02}" for index in range(64)], dtype=object)
    left = random.integers(0, 16, size)
    columns = {
        "left": codes[left],
        "right": codes[np.where(random.random(size) < 0.3, left, random.integers(0, 16, size))],
        "many": codes[random.integers(0, 64, size)],
        "number": random.normal(size=size).astype(np.float32),
    }
    outputs = {"p": random.random(size).astype(np.float32)}
    document = build_profile(columns, categorical=["left", "right", "many"], outputs=outputs, time=np.arange(size))
    profile = Profile.parse(document)
    assert (profile.calibrated, profile.window_rows) == (False, rows)
    assert profile.relations["left~right"].shape == (16, 16)
    later = [np.sort(random.integers(0, size, rows)) for _ in range(20)]
    windows = [
        Window(
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 2, tzinfo=UTC),
            Counts.of_request(profile.plan, Rows.of({name: values[drawn] for name, values in columns.items()}, rows))
            + Counts.of_response(
                profile.plan, Rows.of({name: values[drawn] for name, values in outputs.items()}, rows)
            ),
        )
        for drawn in later
    ]
    for judging in native_detectors(profile):
        said = {judging.judge(window, windows[:7]).verdict for window in windows[7:]}
        assert said == {Verdict.WITHIN}, (judging.name, judging.reference)


def test_uncalibrated_profile_judges_by_convention_and_says_so(later: World):
    profile = Profile.parse(world(60).profile(timed=False))
    far = later.changed("load", lambda v: v + np.float32(15)).windows(profile.plan, rows=1000)[2]
    for judging in native_detectors(profile):
        if judging.reference is Reference.TRAINING:
            assert not judging.judge(far, ()).calibrated
    slow = detector(profile, "slow").judge(far, ())
    assert slow.verdict is Verdict.OVER
    assert "not calibrated" in slow.reason


def test_what_was_measured_is_reported_beside_what_is_scored(profile: Profile, later: World):
    slow = detector(profile, "slow").judge(later.windows(profile.plan)[0], ())
    statistics = {column.name: set(column.statistics) for column in slow.columns}
    assert statistics["load"] == {"js", "psi", "ks", "wasserstein"}
    assert statistics["city"] == {"js", "psi", "tvd"}
    assert [column.score_ratio for column in slow.columns] == sorted(
        (column.score_ratio for column in slow.columns), reverse=True
    )
