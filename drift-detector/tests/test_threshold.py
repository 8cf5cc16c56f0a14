import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from leeway_drift.labels.threshold import MIN_LABELS, Costs, Proposal, propose


def proposed(
    probabilities: np.ndarray, labels: np.ndarray, *, current: float = 0.5, costs: Costs | None = None
) -> Proposal:
    requests = np.arange(labels.size)
    return propose(probabilities, labels.astype(np.float64), requests, current=current, costs=costs)


def calibrated(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose label is 1 as often as their probability says: then the cheapest threshold is known."""
    probabilities = (np.arange(count) % 100 + 0.5) / 100
    draws = (np.arange(count) * 7919 % count + 0.5) / count
    return probabilities, draws < probabilities


def test_of_calibrated_probabilities_the_cheapest_threshold_is_the_ratio_of_costs():
    """Deciding 1 at probability p costs (1 - p) FP, deciding 0 costs p FN: equal at FP / (FP + FN) (Elkan 2001)."""
    proposal = proposed(*calibrated(20_000), costs=Costs(false_positive=1, false_negative=4))
    assert proposal.threshold == pytest.approx(0.2, abs=0.05)
    assert proposal.interval is not None
    assert proposal.interval[0] <= 0.2 <= proposal.interval[1] + 0.02
    assert proposal.gain_interval is not None
    assert proposal.gain_interval[0] > 0


def test_where_nothing_is_to_be_gained_the_interval_says_so():
    proposal = proposed(*calibrated(2_000), costs=Costs(1, 1))
    assert proposal.gain_interval is not None
    assert proposal.gain_interval[0] <= 0.001


@pytest.mark.parametrize("positives", [0, 49, MIN_LABELS - 49, MIN_LABELS])
def test_too_few_of_a_class_are_insufficient(positives: int):
    proposal = proposed(np.linspace(0, 1, MIN_LABELS), np.arange(MIN_LABELS) < positives)
    assert proposal.threshold is None
    assert proposal.reason == f"500 labels, {positives} of them of class 1; needs 500, and 50 of each class"


def test_the_same_labels_give_the_same_proposal():
    assert proposed(*calibrated(1_000)) == proposed(*calibrated(1_000))


def test_rows_of_one_request_are_one_piece_of_evidence():
    probabilities, labels = calibrated(1_000)
    apart = proposed(np.tile(probabilities, 20), np.tile(labels, 20))
    together = propose(
        np.tile(probabilities, 20), np.tile(labels, 20).astype(float), np.tile(np.arange(1_000), 20), current=0.5
    )
    assert apart.interval is not None
    assert together.interval is not None
    assert together.interval[1] - together.interval[0] > apart.interval[1] - apart.interval[0]


@settings(max_examples=25)
@given(arrays.arrays(np.float32, 600, elements=st.sampled_from([0.0, 0.1, 0.5, 0.5000001, 0.9, 1.0])))
def test_the_threshold_does_what_it_promises(scores: np.ndarray):
    probabilities = scores.astype(np.float64)
    labels = np.arange(600) % 3 == 0
    proposal = proposed(probabilities, labels, current=0.5)
    assert proposal.threshold is not None

    def f1(threshold: float) -> float:
        said = probabilities > threshold
        either = said.sum() + labels.sum()
        return 2 * float((said & labels).sum()) / float(either)

    assert proposal.value == pytest.approx(f1(proposal.threshold))
    assert proposal.current_value == pytest.approx(f1(0.5))
    assert proposal.value == pytest.approx(max(f1(float(cut)) for cut in {0.0, *probabilities.tolist()}))
