"""The latest events of a version: what is kept of thousands of them."""

from leeway_drift.reading.events import Kind
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.limits import Limits
from tests.watching import FLIGHTS, Clock, headers, request


def test_the_names_of_the_columns_are_kept_once_and_not_for_each_event():
    clock = Clock()
    detector = Detector(Limits(), clock, lateness=5.0)
    for number in range(3):
        asked = headers(number, at=clock.now)
        detector.intake.offer(detector.intake.admit(asked), request([1.0, 2.0]))
    detector.step(10)
    state = detector.streams.get(FLIGHTS)
    assert state is not None
    kept = [event.columns for event in state.recent[Kind.REQUEST]]
    assert kept == [(("delay",), ("carrier",))] * 3
    assert len({id(columns) for columns in kept}) == 1
