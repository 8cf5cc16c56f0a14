"""Ticks, at the ends of time as well."""

from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.streaming.timeline import Timeline


@given(st.integers(-(10**12), 10**12), st.floats(0, 4e9), st.sampled_from([1.0, 40.0, 1e5]))
def test_every_tick_has_an_event_time_and_none_goes_back(tick: int, origin: float, speed: float):
    timeline = Timeline(5.0, event_origin=origin, speed=speed)
    assert timeline.event_time(tick) <= timeline.event_time(tick + 1)
