"""What is concluded, and what a person reads."""

import dataclasses

import numpy as np
import pytest

from leeway_operators.evidence.experiment import Experiment
from leeway_operators.evidence.findings import GATES, Conclusion, Finding, GateName
from leeway_operators.evidence.ticks import ArmTick, CounterTick, DetectorTick, Moments
from tests.evidence.rollouts import arm, counted, detected, experiment, spread

GOOD = counted((100.0, 900.0), (1.0, 9.0), (3.0, 27.0), weight=0.1)
ALIKE = detected(arm(100.0), arm(900.0))


def looked(known: Experiment, times: int, *more: CounterTick | DetectorTick) -> Experiment:
    for _ in range(times):
        for tick in more:
            known = known.with_counters(tick) if isinstance(tick, CounterTick) else known.with_detector(tick)
    return known


def finding(conclusion: Conclusion, gate: GateName) -> Finding:
    return next(one for one in conclusion.findings if one.gate == gate)


def test_equal_versions_pass_every_gate_and_are_never_harm() -> None:
    conclusion = looked(experiment(), 120, GOOD, ALIKE).conclude({})
    assert conclusion.passes
    assert (conclusion.harm, conclusion.broken, conclusion.missing) == (None, None, ())
    assert [one.gate for one in conclusion.findings] == list(GATES)
    assert {one.verdict for one in conclusion.findings} == {"Pass"}


def test_without_evidence_nothing_passes_and_each_gate_says_what_is_missing() -> None:
    conclusion = experiment().conclude({})
    assert not conclusion.passes
    assert conclusion.missing == GATES
    assert [(one.verdict, one.estimate, one.lower, one.candidate.mean) for one in conclusion.findings] == [
        ("Insufficient", None, None, None)
    ] * len(GATES)
    assert finding(conclusion, "errors").reason == (
        "errors: no requests of the candidate or stable were counted yet; nothing to compare"
    )
    assert "no output between 0 and 1" in finding(conclusion, "predictions").reason


def test_a_rollout_that_requires_nothing_never_passes() -> None:
    assert not looked(experiment(required=False), 120, GOOD, ALIKE).conclude({}).passes


def test_errors_are_told_in_shares_counts_and_points() -> None:
    conclusion = looked(experiment(), 12, counted((100.0, 900.0), (6.0, 9.0), weight=0.1)).conclude({})
    errors = finding(conclusion, "errors")
    assert conclusion.harm == "errors"
    assert errors.verdict == "Fail"
    assert errors.estimate == pytest.approx(0.05)
    assert errors.lower is not None
    assert errors.upper is not None
    assert 0 < errors.lower < 0.05 < errors.upper
    assert errors.reason == (
        "errors: 6.0 % of the candidate's 1,200 requests failed, 1.0 % of stable's 10,800: worse by "
        f"{100 * errors.lower:.1f} to {100 * errors.upper:.1f} points"
    )


def test_insufficient_says_how_much_is_missing() -> None:
    early = finding(looked(experiment(), 12, GOOD).conclude({}), "errors")
    assert early.reason.endswith("; 12 of the 30 ticks with data in both arms that a Pass needs")
    assert early.progress == pytest.approx(12 / 30)
    few = finding(looked(experiment(), 31, counted((4.0, 36.0), weight=0.1)).conclude({}), "errors")
    assert few.progress is not None
    assert 0 < few.progress < 1
    assert few.reason.endswith(f"; {100 * few.progress:.0f} % of the evidence for: not worse by 1 point")


def test_what_is_not_available_is_no_pass_however_good_it_was() -> None:
    known = looked(experiment(), 120, GOOD, ALIKE)
    conclusion = known.conclude({"latency": "the metrics store has not answered for 90 s"})
    latency = finding(conclusion, "latency")
    assert not conclusion.passes
    assert conclusion.missing == ("latency",)
    assert latency.verdict == "Insufficient"
    assert latency.reason.endswith("; the metrics store has not answered for 90 s")


def test_harm_beats_pass_and_is_not_undone_by_a_source_that_went_silent() -> None:
    known = looked(looked(experiment(), 120, GOOD, ALIKE), 30, counted((100.0, 900.0), (30.0, 9.0), weight=0.1))
    conclusion = known.conclude({"errors": "stale"})
    assert conclusion.harm == "errors"
    assert finding(conclusion, "errors").verdict == "Fail"
    assert not conclusion.passes


@pytest.mark.parametrize(
    ("gate", "tick"),
    [
        ("errors", counted((100.0, 900.0), (20.0, 9.0), weight=0.1)),
        ("latency", counted((100.0, 900.0), (1.0, 9.0), (40.0, 27.0), weight=0.1)),
        ("predictions", detected(arm(100.0, score=0.7), arm(900.0))),
        ("labels", detected(arm(100.0, loss=0.6), arm(900.0))),
    ],
)
def test_each_gate_with_power_to_roll_back_uses_it(gate: GateName, tick: CounterTick | DetectorTick) -> None:
    conclusion = looked(experiment(), 60, tick).conclude({})
    assert conclusion.harm == gate
    assert finding(conclusion, gate).verdict == "Fail"
    assert conclusion.broken is None


def test_several_gates_prove_together_what_none_proves_alone() -> None:
    """The budget is one: their e-values add up."""
    tick = counted((100.0, 900.0), (8.0, 9.0), (12.0, 27.0), weight=0.1)
    known = experiment()
    while not known.verdicts().harm:
        known = looked(known, 1, tick)
    together = sum(np.exp(float(one)) for one in known._harm().values())  # noqa: SLF001 - the sum is the point
    assert together >= 1 / 0.01


def test_a_lower_loss_is_no_harm_and_other_predictions_are_on_either_side() -> None:
    better = looked(experiment(), 60, detected(arm(100.0, loss=0.05), arm(900.0, loss=0.5))).conclude({})
    assert better.harm is None
    assert finding(better, "labels").reason.startswith("labels: mean loss 0.050 over the candidate's 6,000")
    assert ": lower by 0." in finding(better, "labels").reason
    lower = looked(experiment(), 60, detected(arm(100.0, score=0.1), arm(900.0, score=0.5))).conclude({})
    assert lower.harm == "predictions"


def test_both_versions_worse_together_is_the_world() -> None:
    known = looked(experiment(), 40, GOOD, ALIKE)
    changed = counted((100.0, 900.0), (30.0, 270.0), (50.0, 450.0), weight=0.1)
    elsewhere = detected(
        arm(100.0, score=0.7, loss=0.6, faulty=0.2, cells=(9, 1, 1, 1)),
        arm(900.0, score=0.7, loss=0.6, faulty=0.2, cells=(9, 1, 1, 1)),
    )
    conclusion = looked(known, 60, changed, elsewhere).conclude({})
    assert (conclusion.harm, conclusion.broken) == (None, None)


def test_answers_of_equal_mean_but_another_spread_are_seen() -> None:
    """As when features are shuffled: undecided answers instead of sure ones."""
    unsure, sure = arm(100.0), arm(900.0)
    unsure = dataclasses.replace(unsure, outputs={"probability": spread(100.0, 0.5, 0.05)})
    sure = dataclasses.replace(sure, outputs={"probability": spread(900.0, 0.5, 0.45)})
    conclusion = looked(experiment(), 60, detected(unsure, sure)).conclude({})
    predictions = finding(conclusion, "predictions")
    assert conclusion.harm == "predictions"
    assert predictions.reason.startswith("predictions: mean doubt of probability 0.990 over the candidate's 6,000 rows")
    assert predictions.margin == pytest.approx(0.2)


def test_a_mean_that_shifts_within_its_margin_is_no_harm_by_its_spread() -> None:
    """Of a rare outcome and of its complement; shifts of less than half of the margin never are."""
    for mean in (0.06, 0.94):
        stable = dataclasses.replace(arm(900.0), outputs={"probability": spread(900.0, mean, 0.05)})
        shifted = mean + (0.045 if mean < 0.5 else -0.045)
        candidate = dataclasses.replace(arm(100.0), outputs={"probability": spread(100.0, shifted, 0.05)})
        assert looked(experiment(), 300, detected(candidate, stable)).conclude({}).harm is None


def pairs(n: float, difference: float, flips: float) -> DetectorTick:
    scores = Moments(n=n, sum=n * difference, sumsq=n * (difference**2 + 0.01))
    return detected(arm(n), arm(n), pairs=scores, labelled=n, flips=flips)


def test_pairs_are_judged_by_scores_and_by_labels() -> None:
    same = finding(looked(experiment(), 40, pairs(50.0, 0.01, 1.0)).conclude({}), "predictions")
    assert same.verdict == "Pass"
    assert same.reason.startswith(
        "predictions: of 2,000 rows that both versions answered, 2.0 % got another label, scores"
    )
    assert looked(experiment(), 40, pairs(50.0, 0.4, 1.0)).conclude({}).harm == "predictions"
    assert looked(experiment(), 40, pairs(50.0, 0.01, 25.0)).conclude({}).harm == "predictions"


def test_pairs_without_scores_are_judged_by_their_labels_alone() -> None:
    """Of a model whose scores have no bounds, or that gives none."""
    flipped = detected(arm(50.0), arm(50.0), labelled=50.0, flips=25.0)
    assert looked(experiment(), 40, flipped).conclude({}).harm == "predictions"
    same = finding(looked(experiment(), 40, detected(arm(50.0), arm(50.0), labelled=50.0)).conclude({}), "predictions")
    assert (same.verdict, same.estimate) == ("Pass", None)
    assert "0.0 % got another label, scores within 0.100" in same.reason


def test_pairs_decide_a_pass_while_there_are_any_and_only_then() -> None:
    """Equal means do not make up for flipped labels; after the shadow step arms are compared again."""
    shadowed = looked(experiment(), 40, pairs(50.0, 0.0, 5.0))
    assert "predictions" in shadowed.conclude({}).missing
    assert "predictions" not in looked(shadowed.with_fresh_pass(), 40, ALIKE).conclude({}).missing


def test_a_ratio_that_is_not_the_weight_holds_and_says_so() -> None:
    conclusion = looked(experiment(), 20, counted((50.0, 950.0), weight=0.1), ALIKE).conclude({})
    assert conclusion.harm is None
    assert conclusion.broken == (
        "SampleRatioMismatch",
        "the candidate got 5.0 % of 20,000 requests, by its weight it should have got 10.0 %",
    )
    assert not conclusion.passes


@pytest.mark.parametrize("weight", [None, 0.0, 1.0])
def test_arms_that_do_not_share_by_weight_have_no_ratio(weight: float | None) -> None:
    assert looked(experiment(), 20, counted((500.0, 500.0), weight=weight)).conclude({}).broken is None


def test_the_weight_may_change_from_tick_to_tick() -> None:
    known = experiment()
    for weight in (0.05, 0.25, 0.5):
        known = looked(known, 30, counted((1000 * weight, 1000 * (1 - weight)), weight=weight))
    assert known.conclude({}).broken is None


def test_other_inputs_are_blamed_on_the_routing_and_not_on_the_candidate() -> None:
    tick = detected(arm(100.0, score=0.7, loss=0.6, cells=(9, 1, 1, 1)), arm(900.0))
    known, harms = experiment(), []
    for _ in range(60):
        known = looked(known, 1, tick)
        harms.append(known.conclude({}).harm)
    conclusion = known.conclude({})
    assert conclusion.broken == (
        "InputsDiffer",
        (
            "the two versions are sent different inputs, most of all in delay: "
            "requests are not shared between them at random"
        ),
    )
    assert conclusion.harm is None
    assert set(harms) == {None}
    for gate in ("predictions", "labels"):
        one = finding(conclusion, gate)
        assert (one.verdict, one.reason.rpartition("; ")[2]) == (
            "Insufficient",
            "not weighed while the inputs of the two versions seem to differ",
        )


def test_answers_are_not_blamed_before_inputs_were_compared_for_a_while() -> None:
    known = looked(experiment(), 9, detected(arm(100.0, loss=0.9), arm(900.0)))
    labels = finding(known.conclude({}), "labels")
    assert known.conclude({}).harm is None
    assert labels.reason.endswith("; not weighed before inputs were compared over 10 ticks")
    assert looked(known, 1, detected(arm(100.0, loss=0.9), arm(900.0))).conclude({}).harm == "labels"


def test_failed_requests_are_harm_whatever_their_inputs_were() -> None:
    """Users get errors: waiting for the routing to be mended does not help them."""
    other = detected(arm(100.0, cells=(9, 1, 1, 1)), arm(900.0))
    assert (
        looked(experiment(), 60, counted((100.0, 900.0), (20.0, 9.0), weight=0.1), other).conclude({}).harm == "errors"
    )


def test_faulty_data_holds_and_never_rolls_back() -> None:
    conclusion = looked(experiment(), 40, GOOD, detected(arm(100.0, faulty=0.2), arm(900.0, faulty=0.01))).conclude({})
    quality = finding(conclusion, "dataQuality")
    assert conclusion.harm is None
    assert conclusion.broken == ("DataQualityDiffers", quality.reason)
    assert quality.verdict == "Fail"
    assert quality.lower is not None
    assert quality.lower > 0


def test_what_was_mended_is_soon_forgotten() -> None:
    wrong = looked(
        experiment(), 500, counted((10.0, 990.0), weight=0.1), detected(arm(10.0, cells=(9, 1, 1, 1)), arm(990.0))
    )
    assert wrong.conclude({}).broken is not None
    assert looked(wrong, 60, GOOD, ALIKE).conclude({}).broken is None


def test_profiles_that_differ_leave_inputs_uncompared() -> None:
    tick = detected(arm(100.0, cells=(9, 1, 1, 1)), arm(900.0), arms_comparable=False)
    conclusion = looked(experiment(), 60, tick).conclude({})
    assert conclusion.broken is None


def test_only_bounded_outputs_of_both_versions_are_compared() -> None:
    other = dataclasses.replace(arm(900.0), outputs={"score": spread(900.0, 0.9)})
    assert (
        "no output between 0 and 1"
        in finding(looked(experiment(), 3, detected(arm(100.0), other)).conclude({}), "predictions").reason
    )


def test_gates_that_are_not_watched_say_nothing() -> None:
    conclusion = looked(experiment("errors", "latency"), 60, GOOD, detected(arm(100.0, loss=0.9), arm(900.0))).conclude(
        {}
    )
    assert [one.gate for one in conclusion.findings] == ["errors", "latency"]
    assert conclusion.passes


def test_labels_of_a_whole_day_may_arrive_at_once() -> None:
    """No cap holds them back: there is no next tick."""
    batch = detected(ArmTick(losses=(spread(2_000.0, 0.4),)), ArmTick(losses=(spread(2_000.0, 0.2),)))
    assert looked(experiment(), 1, batch).conclude({}).harm == "labels"
