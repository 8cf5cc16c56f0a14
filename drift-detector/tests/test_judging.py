"""What makes an alarm, and which windows the next ones are compared with."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.counting.counts import Counts
from leeway_drift.counting.plan import Plan
from leeway_drift.detectors.interface import Judgement, Reference, Verdict, Window
from leeway_drift.statistics.scoring import TRAILING_WINDOWS
from leeway_drift.streaming.judging import ADOPTED_AFTER, Judging, Key, Rules
from leeway_drift.streaming.persistence import Persistence

START = datetime(2026, 3, 2, tzinfo=UTC)
VERDICTS = {"w": Verdict.WITHIN, "o": Verdict.OVER, "i": Verdict.INSUFFICIENT}


class Says:
    """A detector with a script: ``w``ithin, ``o``ver, ``i``nsufficient, or ``!`` for a fault."""

    def __init__(self, script: str, key: Key = ("abrupt", Reference.TRAILING)) -> None:
        self.name, self.reference = key
        self.trailing: list[list[int]] = []
        self._script = iter(script)

    def judge(self, window: Window, trailing: Sequence[Window]) -> Judgement:
        self.trailing.append([(window.start - START).days for window in trailing])
        said = next(self._script)
        if said == "!":
            raise ZeroDivisionError("no rows")
        ratio = None if said == "i" else 0.5
        return Judgement(self.name, self.reference, VERDICTS[said], ratio, calibrated=True, reason=f"{window.start}")


def judgement(said: str, name: str = "abrupt", reference: Reference = Reference.TRAILING) -> Judgement:
    return Judgement(name, reference, VERDICTS[said], None, calibrated=True, reason="")


def day(number: int) -> Window:
    start = START + timedelta(days=number)
    return Window(start, start + timedelta(days=1), Counts.none(Plan({}, {})))


def judged(detector: Says, windows: int) -> Judging:
    judging = Judging()
    for number in range(windows):
        judging.judge(day(number), [detector], lambda _, judge: judge())
    return judging


@pytest.mark.parametrize(
    ("script", "detected"),
    [
        ("o", False),
        ("oo", True),
        ("owo", True),
        ("owwo", False),
        ("oio", True),
        ("ooi", True),
        ("oww", False),
        ("", False),
    ],
)
def test_two_of_the_last_three_judged_windows_make_an_alarm(script: str, *, detected: bool):
    persistence = Persistence()
    for said in script:
        persistence.note(judgement(said))
    assert persistence.detected("abrupt") == detected


@given(st.text("woi", max_size=12))
def test_windows_that_could_not_be_judged_are_neither_good_nor_bad_news(script: str):
    with_gaps, without = Persistence(), Persistence()
    for said in script:
        with_gaps.note(judgement(said))
    for said in script.replace("i", ""):
        without.note(judgement(said))
    assert with_gaps.detected("abrupt") == without.detected("abrupt")


def test_a_threshold_that_nobody_calibrated_raises_no_alarm():
    persistence = Persistence()
    for _ in range(3):
        persistence.note(replace(judgement("o"), calibrated=False))
    assert not persistence.detected("abrupt")
    assert not persistence.detected("data_quality")


def test_bad_data_is_an_alarm_at_once_and_over_at_once():
    persistence = Persistence()
    persistence.note(judgement("o"))
    assert persistence.detected("data_quality")
    persistence.note(judgement("w"))
    assert not persistence.detected("data_quality")


def test_the_trailing_windows_are_the_last_ones():
    detector = Says("w" * 10)
    judged(detector, 10)
    assert detector.trailing[0] == []
    assert detector.trailing[-1] == list(range(9 - TRAILING_WINDOWS, 9))


def test_a_fault_does_not_become_the_reference_while_its_alarm_is_open():
    detector = Says("www" + "o" * 8 + "www")
    judging = judged(detector, 14)
    assert detector.trailing[10] == [0, 1, 2]
    assert judging.judged["abrupt", Reference.TRAILING].detected is False
    assert 13 in [(window.start - START).days for window in judging.trailing]


def test_drift_against_training_leaves_the_trailing_reference_alone():
    detector = Says("o" * 4, ("slow", Reference.TRAINING))
    judged(detector, 4)
    assert detector.trailing[-1] == [0, 1, 2]


def test_a_step_that_is_here_to_stay_becomes_the_reference_in_the_end():
    detector = Says("w" + "o" * (ADOPTED_AFTER + 2))
    judged(detector, ADOPTED_AFTER + 3)
    assert detector.trailing[ADOPTED_AFTER] == [0]
    assert detector.trailing[-1] == [ADOPTED_AFTER + 1]


def test_a_detector_that_fails_is_insufficient_and_says_how():
    judging = judged(Says("!"), 1)
    said = judging.judged["abrupt", Reference.TRAILING].judgement
    assert said.verdict is Verdict.INSUFFICIENT
    assert said.reason == "failed: ZeroDivisionError: no rows"


def test_a_judgement_that_comes_later_is_put_beside_its_window():
    judging = judged(Says("ww"), 2)
    late = Judgement("classifier", Reference.TRAINING, Verdict.OVER, 1.5, calibrated=True, reason="")
    judging.add([late], day(0))
    judging.add([late], day(1))
    judging.add([judgement("w", "classifier", Reference.TRAINING)], day(0))
    assert [past.ratios["classifier", Reference.TRAINING] for past in judging.history] == [1.5, 1.5]
    assert judging.judged["classifier", Reference.TRAINING].detected
    assert [("classifier", Reference.TRAINING) in past.detected for past in judging.history] == [False, True]


def test_every_detector_says_from_the_start_what_it_waits_for():
    judging = Judging()
    judging.begin(Rules("d", Plan({}, {}), 1000, 86400, [Says("w")], [("classifier", Reference.TRAINING)]))
    assert {key[0]: judged.judgement.reason for key, judged in judging.judged.items()} == dict.fromkeys(
        ("abrupt", "classifier"), "no window of 1000 rows and 86400 s is closed yet"
    )
