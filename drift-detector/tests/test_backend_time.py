"""How long a backend takes is told under its name, whether it can judge or not."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event

import pytest
from prometheus_client import CollectorRegistry

from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Judgement, Verdict, Window
from leeway_drift.profile import Profile
from leeway_drift.service.backend import BackendThread
from leeway_drift.service.metrics import evaluation_timer
from leeway_drift.service.profiles import Loaded
from leeway_drift.streaming.backend import BackendUnavailable
from leeway_drift.streaming.detector import Closed
from leeway_drift.streaming.streams import StreamState
from leeway_drift.streaming.timeline import Timeline
from tests.watching import FLIGHTS, profile

AT = datetime(2026, 3, 2, tzinfo=UTC)


class Slow:
    """Judges nothing, and takes three seconds for it."""

    name = "slow-backend"
    detectors = ("tabular",)

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock

    def judge(self, *_: object) -> list:
        self.clock[0] += 3
        raise BackendUnavailable("not now")


def test_the_time_of_a_backend_is_measured():
    registry, clock, judged = CollectorRegistry(), [0.0], Event()
    thread = BackendThread(Slow(clock), evaluation_timer(registry, lambda: clock[0]))
    known = Profile.parse(json.loads(profile()))
    window = Window(AT, AT, Counts.none(known.plan), None)
    verdicts: list[Verdict] = []

    def take(_: Closed, judgements: Sequence[Judgement]) -> None:
        verdicts.extend(judgement.verdict for judgement in judgements)
        judged.set()

    thread.start()
    state = StreamState(timeline=Timeline(5.0), last_seen=0.0, closed=0)
    thread.offer(Closed(FLIGHTS, state, window), Loaded("d" * 64, "sha256:d", known, {}, None), take)
    assert judged.wait(30)
    thread.stop()
    told = registry.get_sample_value("leeway_drift_evaluation_duration_seconds_sum", {"detector": "slow-backend"})
    assert told == pytest.approx(3)
    assert verdicts == [Verdict.INSUFFICIENT]
