"""Pairs: who is one, whatever comes in between and whoever forges ids."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.columns import Rows
from leeway_drift.streaming.pairing import Pairing, Pairs, fingerprint


def inputs(number: float, carrier: str | None = "AA", rows: int = 1) -> Rows:
    carriers = np.empty(rows, dtype=np.object_)
    carriers[:] = carrier
    return Rows.of({"delay": np.full(rows, number, dtype=np.float32), "carrier": carriers}, rows)


def outputs(*scores: float) -> Rows:
    values = np.array(scores, dtype=np.float32)
    return Rows.of({"label": (values > 0.5).astype(np.float32), "probabilities.1": values}, len(scores))


mirrored = st.fixed_dictionaries(
    {"a": st.floats(0, 1, width=32), "b": st.floats(0, 1, width=32), "body": st.sampled_from([1.0, 2.0])}
)


@given(st.lists(mirrored, max_size=20), st.randoms(use_true_random=False))
def test_each_mirrored_request_is_one_pair_in_whatever_order_answers_come(requests: list[dict], random: Any):
    answers = [(number, slot) for number in range(len(requests)) for slot in ("a", "b")]
    random.shuffle(answers)
    pairing, found = Pairing(limit=100), Pairs()
    for number, slot in answers:
        said = requests[number]
        found += pairing.add(f"r{number}", slot, inputs(said["body"]), outputs(said[slot])) or Pairs()
    differences = np.array([said["b"] - said["a"] for said in requests])
    assert (found.difference.n, found.labelled, found.mismatched) == (len(requests),) * 2 + (0,)
    assert found.difference.sum == pytest.approx(differences.sum())
    assert found.difference.sumsq == pytest.approx(np.square(differences).sum())
    assert found.flips == sum((said["a"] > 0.5) != (said["b"] > 0.5) for said in requests)
    assert len(pairing) == 0


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3)), max_size=40))
def test_other_inputs_under_the_same_id_are_never_a_pair(script: list[tuple[str, int]]):
    pairing, paired = Pairing(limit=2), []
    for slot, body in script:
        score = body / 10 + (0.05 if slot == "b" else 0)
        found = pairing.add("one-id", slot, inputs(float(body)), outputs(score))
        if found is not None and not found.mismatched:
            paired.append(found)
    for found in paired:
        assert found.difference.sum == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(
    ("forged", "said"),
    [(inputs(2.0), outputs(0.5)), (inputs(1.0, "UA"), outputs(0.5)), (inputs(1.0), outputs(0.5, 0.6))],
    ids=["another number", "another text", "another number of answers"],
)
def test_what_is_no_copy_is_counted_and_not_compared(forged: Rows, said: Rows):
    pairing = Pairing(limit=2)
    assert pairing.add("r", "a", inputs(1.0), outputs(0.1)) is None
    assert pairing.add("r", "b", forged, said) == Pairs(mismatched=1)


def test_the_oldest_wait_no_longer_when_too_many_do():
    pairing = Pairing(limit=2)
    for number in range(3):
        pairing.add(f"r{number}", "a", inputs(1.0), outputs(0.1))
    assert pairing.add("r0", "b", inputs(1.0), outputs(0.1)) is None
    assert pairing.add("r2", "b", inputs(1.0), outputs(0.1)) is not None


def test_scores_that_are_no_probabilities_are_counted_and_those_that_are_no_numbers_left_out():
    pairing = Pairing(limit=2)
    pairing.add("r", "a", inputs(1.0, rows=3), outputs(0.5, 0.5, float("nan")))
    found = pairing.add("r", "b", inputs(1.0, rows=3), outputs(1.5, 1.0005, 0.5))
    assert found is not None
    assert (found.difference.n, found.outside, found.labelled) == (2, 1, 3)


texts = st.one_of(st.none(), st.text(max_size=3), st.just("\udc80"))
table = st.lists(st.tuples(st.floats(width=32, allow_nan=False), texts), min_size=1, max_size=3)


@given(table, table)
def test_a_fingerprint_tells_different_inputs_apart(one: list, other: list):
    def rows(values: list) -> Rows:
        strings = np.empty(len(values), dtype=np.object_)
        strings[:] = [text for _, text in values]
        return Rows.of(
            {"x": np.array([x for x, _ in values], dtype=np.float32) + np.float32(0), "t": strings}, len(values)
        )

    assert (fingerprint(rows(one)) == fingerprint(rows(other))) == (one == other)
