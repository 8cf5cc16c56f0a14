"""The small pure parts."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_operators.core.duration import parse_duration
from leeway_operators.core.revision import canonical_json, revision_of
from tests.world import defaulted, rollout_schema, spec


@given(hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(0, 59))
def test_durations_are_the_sum_of_their_parts(hours: int, minutes: int, seconds: int) -> None:
    expected = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == expected


@pytest.mark.parametrize("text", ["", "1", "h", "1d", "1h 2m", "-1s", "1.5h"])
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="expected numbers with h, m, s or ms"):
        parse_duration(text)


def test_canonical_json_is_sorted_dense_and_utf8() -> None:
    assert canonical_json({"b": [1, 2], "a": "é"}) == '{"a":"é","b":[1,2]}'.encode()


def test_canonical_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


SPEC = rollout_schema()["properties"]["spec"]
SAME = defaulted(SPEC, spec())


@pytest.mark.parametrize(
    "change",
    [
        {"model": spec("2")["model"]},
        {"runtime": "leeway-onnx-2"},
        {"capture": {"mode": "direct"}},
        {"model": spec("1", resources={"limits": {"cpu": 1}})["model"]},
        {"model": spec("1", env=[{"name": "A", "value": "1"}])["model"]},
    ],
)
def test_what_a_slot_runs_is_in_its_revision(change: dict[str, object]) -> None:
    assert revision_of(defaulted(SPEC, spec() | change)) != revision_of(SAME)


@pytest.mark.parametrize(
    "change", [{"paused": True}, {"scaling": {"minReplicas": 2}}, {"strategy": {"rollbackWindow": "2h"}}]
)
def test_how_it_is_released_is_not(change: dict[str, object]) -> None:
    assert revision_of(defaulted(SPEC, spec() | change)) == revision_of(SAME)


def test_a_revision_is_what_the_contract_says() -> None:
    # Fixed: labels, names and history in living clusters carry it.
    spec = {"model": {"version": "1"}, "runtime": "r", "capture": {"mode": "kserve"}, "paused": True}
    assert revision_of(spec) == "1a9995554b"
