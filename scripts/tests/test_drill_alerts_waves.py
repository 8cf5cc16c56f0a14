"""Drills run side by side, what takes others' ground away comes last, and who interrupts one ends all."""

import threading
from collections.abc import Callable

import pytest

from drill.alerts.catalog import Drill, UnknownDrillError
from drill.alerts.mailbox import Mailbox
from drill.alerts.outcome import Outcome, outcome_of
from drill.alerts.waves import Drills
from drill.api import ApiServer

MAILBOX = Mailbox(ApiServer.__new__(ApiServer))  # asked nothing here


def test_drills_of_a_wave_run_at_once_and_what_takes_down_the_platform_after_them() -> None:
    together = threading.Barrier(2, timeout=10)
    ended: list[str] = []

    def work(drill: Drill, *, resolve: bool, told: Callable[[Outcome], None]) -> Outcome:
        assert not resolve
        together.wait()  # each waits for the other of its wave, so that one after the other would never end
        outcome = outcome_of(drill, seconds=1.0)
        told(outcome)
        ended.append(drill.alert)
        return outcome

    shown: list[str] = []
    drills = Drills(work, MAILBOX, threading.Event(), run="0a1b")
    names = ["DetectorDown", "ModelErrors", "OperatorNotReconciling", "DriftAbrupt"]
    outcomes = drills.run(names, resolve=False, told=lambda one: shown.append(one.alert))
    assert [one.alert for one in outcomes] == ["ModelErrors", "DriftAbrupt", "DetectorDown", "OperatorNotReconciling"]
    assert set(ended[:2]) == {"ModelErrors", "DriftAbrupt"}
    assert sorted(shown) == sorted(names)


def test_drills_that_nobody_waits_for_any_more_are_ended() -> None:
    over = threading.Event()

    def work(drill: Drill, *, resolve: bool, told: Callable[[Outcome], None]) -> Outcome:
        del resolve
        told(outcome_of(drill))
        assert over.wait(10)
        return outcome_of(drill)

    drills = Drills(work, MAILBOX, over, run="0a1b")
    assert len(drills.run(["ModelErrors"], told=lambda _: drills.end())) == 1


def test_a_run_hits_models_of_its_own_and_the_one_platform() -> None:
    def work(drill: Drill, *, resolve: bool, told: Callable[[Outcome], None]) -> Outcome:
        del resolve, told
        return outcome_of(drill)

    names = ["ModelErrors", "DetectorEventsLost"]
    first, second = (Drills(work, MAILBOX, threading.Event(), run=run).run(names) for run in ("0a1b", "2c3d"))
    assert [one.model for one in first] == ["drill-errors-0a1b", ""]
    assert [one.model_namespace for one in second] == ["drill-errors-2c3d", ""]


def test_nothing_is_begun_for_a_name_that_is_none() -> None:
    def work(drill: Drill, *, resolve: bool, told: Callable[[Outcome], None]) -> Outcome:
        raise AssertionError(f"{drill.alert} was begun: {resolve}, {told}")

    with pytest.raises(UnknownDrillError):
        Drills(work, MAILBOX, threading.Event(), run="0a1b").run(["ModelErrors", "Nope"])


def test_an_interruption_ends_the_others_and_waits_for_their_undoing() -> None:
    over = threading.Event()
    undone: list[str] = []

    def work(drill: Drill, *, resolve: bool, told: Callable[[Outcome], None]) -> Outcome:
        del resolve, told
        if drill.alert == "ModelErrors":
            raise KeyboardInterrupt
        assert over.wait(10)
        undone.append(drill.alert)
        return outcome_of(drill)

    with pytest.raises(KeyboardInterrupt):
        Drills(work, MAILBOX, over, run="0a1b").run(["ModelErrors", "DriftAbrupt", "DataQuality", "DetectorDown"])
    assert sorted(undone) == ["DataQuality", "DriftAbrupt"]
