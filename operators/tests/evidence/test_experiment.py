"""The state of all tests: what ticks do to it, whatever they hold."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_operators.evidence.experiment import Experiment, GateSettings, History, Settings
from leeway_operators.evidence.findings import GATES, GateName
from leeway_operators.evidence.state import Array
from leeway_operators.evidence.ticks import ArmTick, CounterTick, DetectorTick, Moments, Pair, Routed
from tests.evidence.rollouts import arm, counted, detected, experiment, spread

ROLLOUTS = 3


def leaves(document: Any) -> list[Any]:
    """All that a document holds, in order."""
    if isinstance(document, dict):
        return [leaf for value in document.values() for leaf in leaves(value)]
    return [leaf for value in document for leaf in leaves(value)] if isinstance(document, list) else [document]


counts = st.integers(0, 400)
share = st.floats(0, 1)


@st.composite
def counter_ticks(draw: st.DrawFn) -> CounterTick:
    """Any growth of counters, often of one arm only."""
    n = draw(st.tuples(counts, counts))
    failed, slow = ([float(round(draw(share) * total)) for total in n] for _ in range(2))
    weight = draw(st.one_of(st.none(), st.sampled_from([0.0, 0.05, 0.5, 1.0])))
    return counted((float(n[0]), float(n[1])), (failed[0], failed[1]), (slow[0], slow[1]), weight)


@st.composite
def arm_ticks(draw: st.DrawFn) -> ArmTick:
    """Any tick of an arm, often empty."""
    n = float(draw(counts))
    cells = np.asarray(draw(st.lists(st.integers(0, 50), min_size=4, max_size=4)), dtype=np.float64)
    score, levels = draw(st.floats(0.2, 0.8)), draw(st.lists(st.floats(0.2, 0.8), min_size=2, max_size=2))
    rows = n * draw(st.integers(1, 5))
    return ArmTick(
        requests=n,
        rows=rows,
        outputs={"probability": spread(rows, score)},
        losses=tuple(spread(float(draw(counts)), level) for level in levels),
        quality=(rows, float(round(rows * draw(share)))),
        features={"delay": cells},
    )


@st.composite
def detector_ticks(draw: st.DrawFn) -> DetectorTick:
    """Any tick of the detector."""
    pairs = float(draw(counts))
    return DetectorTick(
        candidate=draw(arm_ticks()),
        stable=draw(arm_ticks()),
        arms_comparable=draw(st.booleans()),
        pairs=spread(pairs, draw(st.floats(-0.5, 0.5))),
        labelled=pairs,
        flips=float(round(pairs * draw(share))),
    )


ticks = st.lists(st.one_of(counter_ticks(), detector_ticks()), min_size=1, max_size=6)


def after(known: Experiment, *more: CounterTick | DetectorTick) -> Experiment:
    for tick in more:
        known = known.with_counters(tick) if isinstance(tick, CounterTick) else known.with_detector(tick)
    return known


@given(ticks)
@settings(deadline=None, max_examples=25)
def test_a_document_is_finite_and_goes_on_as_if_never_written(seen: list[CounterTick | DetectorTick]) -> None:
    whole, resumed = experiment(), experiment()
    for tick in seen:
        whole = after(whole, tick)
        written = json.dumps(resumed.document(), allow_nan=False)
        resumed = after(Experiment.of_document(json.loads(written)), tick)
    assert resumed.document() == whole.document()
    assert resumed.conclude({}) == whole.conclude({})
    assert all(math.isfinite(leaf) for leaf in leaves(whole.document()) if isinstance(leaf, float))


def stacked(several: list[Any]) -> Any:
    """One tick of as many rollouts."""
    first = several[0]
    if isinstance(first, CounterTick | Routed | DetectorTick | ArmTick | Pair | Moments):
        fields = [one.name for one in dataclasses.fields(first)]
        return type(first)(**{name: stacked([getattr(one, name) for one in several]) for name in fields})
    if isinstance(first, dict):
        return {name: stacked([one[name] for one in several]) for name in first}
    if isinstance(first, tuple):
        return tuple(stacked([one[index] for one in several]) for index in range(len(first)))
    return first if first is None or isinstance(first, bool) else np.asarray(several, dtype=np.float64)


@st.composite
def side_by_side(draw: st.DrawFn) -> list[list[CounterTick | DetectorTick]]:
    """Ticks of several rollouts: what holds for a tick as a whole is the same in all."""
    looks: list[list[CounterTick | DetectorTick]] = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            weight = draw(st.sampled_from([None, 0.2]))
            several = [draw(counter_ticks()) for _ in range(ROLLOUTS)]
            looks.append([dataclasses.replace(tick, weight=weight) for tick in several])
        else:
            looks.append([dataclasses.replace(draw(detector_ticks()), arms_comparable=True) for _ in range(ROLLOUTS)])
    return looks


@given(side_by_side(), st.integers(0, 3))
@settings(deadline=None, max_examples=25)
def test_rollouts_side_by_side_are_rollouts_one_by_one(
    looks: list[list[CounterTick | DetectorTick]], fresh_at: int
) -> None:
    """The simulation runs what decides. Features and outputs are those of the first look in both."""
    first = detected(arm(100), arm(100))
    together, apart = after(experiment(), first), [after(experiment(), first) for _ in range(ROLLOUTS)]
    where = np.array([True, False, True])
    for index, look in enumerate(looks):
        together = after(together, stacked(look))
        apart = [after(one, tick) for one, tick in zip(apart, look, strict=True)]
        if index == fresh_at:
            together = together.with_fresh_pass(where)
            apart = [one.with_fresh_pass() if anew else one for one, anew in zip(apart, where, strict=True)]
    verdicts, singly = together.verdicts(), [one.verdicts() for one in apart]
    assert _each(verdicts.harm) == [bool(one.harm) for one in singly]
    assert _each(verdicts.promotable) == [bool(one.promotable) for one in singly]
    for gate in GATES:
        assert _each(verdicts.passes[gate]) == [bool(one.passes[gate]) for one in singly]
    for reason in verdicts.broken:
        assert _each(verdicts.broken[reason]) == [bool(one.broken[reason]) for one in singly]
    for gate, shares in together.shares.items():
        wealth = np.broadcast_to(shares.worse.wealth, (ROLLOUTS, 6))
        np.testing.assert_allclose(wealth, [one.shares[gate].worse.wealth for one in apart])


def _each(values: Array | np.ndarray[Any, np.dtype[np.bool_]]) -> list[bool]:
    return [bool(value) for value in np.broadcast_to(values, ROLLOUTS)]


@given(st.integers(1, 300), st.integers(1, 300), share, share)
def test_what_one_arm_does_alone_changes_no_evidence(n_c: int, n_s: int, failed: float, score: float) -> None:
    mine, theirs = float(n_c), float(n_s)
    for tick in (
        counted((mine, 0.0), (round(failed * mine), 0.0)),
        counted((0.0, theirs), (0.0, round(failed * theirs))),
        detected(arm(mine, score=score, loss=failed), ArmTick()),
        detected(ArmTick(), arm(theirs, score=score, loss=failed)),
    ):
        start, known = experiment(), after(experiment(), tick)
        assert known._harm() == start._harm()  # noqa: SLF001 - nothing else shows what is short of a verdict
        assert not any(finding.progress for finding in known.conclude({}).findings)


NUMBERS_THAT_CANNOT_BE = [math.nan, math.inf, -1.0, 51.0]


@pytest.mark.parametrize("wrong", NUMBERS_THAT_CANNOT_BE)
def test_counts_that_cannot_be_are_left_out_and_told(wrong: float) -> None:
    before = after(experiment(), counted((100.0, 900.0), (1.0, 9.0), weight=0.1))
    known = after(before, counted((50.0, 450.0), (wrong, 4.0), slow=(1.0, 9.0), weight=0.1))
    errors, latency = known.conclude({}).findings[:2]
    assert errors.candidate.n == 100.0
    assert errors.reason.endswith("(1 tick left out: numbers that cannot be)")
    assert latency.candidate.n == 150.0
    assert "left out" not in latency.reason


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_detector_that_answers_nonsense_changes_nothing_but_what_is_told(wrong: float) -> None:
    bad = ArmTick(
        requests=wrong,
        rows=wrong,
        outputs={"probability": Moments(n=10.0, sum=wrong, sumsq=1.0)},
        losses=(Moments(n=10.0, sum=1.0, sumsq=wrong),),
        quality=(10.0, wrong),
        features={"delay": np.array([wrong, 1.0, 1.0, 1.0])},
    )
    good = after(experiment(), detected(arm(100), arm(900)))
    known = after(good, detected(bad, arm(900), pairs=Moments(n=1.0, sum=wrong), labelled=2.0, flips=wrong))
    told = {finding.gate: finding.reason for finding in known.conclude({}).findings}
    assert all("1 tick left out" in told[gate] for gate in ("predictions", "dataQuality", "labels"))
    assert known._harm() == good._harm()  # noqa: SLF001 - nothing else shows what is short of a verdict
    json.dumps(known.document(), allow_nan=False)


@pytest.mark.parametrize(
    "impossible",
    [
        Moments(n=10.0, sum=11.0, sumsq=9.0),
        Moments(n=10.0, sum=5.0, sumsq=6.0),
        Moments(n=10.0, sum=5.0, sumsq=1.0),
        Moments(n=0.0, sum=1.0, sumsq=1.0),
    ],
)
def test_sums_that_no_numbers_in_their_range_have_are_left_out(impossible: Moments) -> None:
    """Too large, squares above the numbers, squares below the mean's, numbers out of nothing."""
    tick = detected(dataclasses.replace(arm(10.0), losses=(impossible,)), arm(10.0))
    assert "1 tick left out" in after(experiment("labels"), tick).conclude({}).findings[0].reason


def test_a_batch_counts_once_for_each_request() -> None:
    """A hundred rows in ten requests weigh about as ten."""
    single, batched = experiment("labels"), experiment("labels")
    for _ in range(20):
        single = after(single, detected(arm(10, loss=0.6), arm(10)))
        rows, others = (dataclasses.replace(arm(100, loss=loss), requests=10.0) for loss in (0.6, 0.2))
        batched = after(batched, detected(rows, others))
    one, other = (float(known._harm()["labels"]) for known in (single, batched))  # noqa: SLF001 - as above
    assert other == pytest.approx(one, rel=0.15)


def test_evidence_for_pass_begins_anew_and_evidence_of_harm_stays() -> None:
    known = experiment()
    for _ in range(40):
        known = after(known, counted((100.0, 900.0), weight=0.1), detected(arm(100, loss=0.21), arm(900)))
    assert "errors" not in known.conclude({}).missing
    anew = known.with_fresh_pass()
    assert set(anew.conclude({}).missing) == set(GATES)
    assert [finding.progress for finding in anew.conclude({}).findings] == [0.0] * len(GATES)
    assert anew._harm() == known._harm()  # noqa: SLF001 - nothing else shows what is short of a verdict
    assert anew.conclude({}).findings[0].candidate.n == 4000.0


def test_margins_are_frozen_when_a_rollout_begins() -> None:
    named: dict[GateName, GateSettings] = {
        "errors": GateSettings(required=True),
        "latency": GateSettings(required=True, margin=0.04),
    }
    begun = Experiment.begin(
        Settings(alpha_rollback=0.01, alpha_promote=0.05, gates=named, history=History(errors=0.06, slow=0.2))
    )
    kept = Experiment.of_document(json.loads(json.dumps(begun.document())))
    assert [finding.margin for finding in kept.conclude({}).findings] == [0.03, 0.04]


@pytest.mark.parametrize(
    ("gate", "tolerance"), [("errors", 0.0), ("latency", 0.01), ("predictions", 0.1), ("labels", 0.01)]
)
def test_what_is_tolerated_without_a_rollback(gate: GateName, tolerance: float) -> None:
    one = Settings(alpha_rollback=0.01, alpha_promote=0.05, gates={gate: GateSettings(required=True)})
    assert float(one.edges(gate).tolerance) == pytest.approx(tolerance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha_rollback": 0.0}, r"alpha\.rollback: expected a chance between 0 and 1, found 0"),
        ({"alpha_promote": math.nan}, r"alpha\.promote: expected a chance"),
        ({"gates": {"errors": GateSettings(required=True, margin=-0.1)}}, r"gates\.errors\.margin: expected 0 to"),
        ({"gates": {"speed": GateSettings(required=True)}}, r"gates: expected some of errors, .* found speed"),
        ({"history": History(errors=2.0)}, r"history\.errors: expected a share"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"alpha_rollback": 0.01, "alpha_promote": 0.05, "gates": {}}
    with pytest.raises(ValueError, match=message):
        Settings(**{**good, **change})


def test_a_document_stays_small() -> None:
    """It is written to the status at every look: twelve features of the most cells, and the most outputs."""
    rng = np.random.default_rng(1)
    known = experiment()

    def one(n: int) -> ArmTick:
        outputs = {f"probability_{index}": spread(float(n), 0.25 + rng.random() / 10) for index in range(4)}
        features = {f"feature_{index:02}": rng.multinomial(n, np.full(12, 1 / 12)).astype(float) for index in range(12)}
        return dataclasses.replace(arm(n, loss=0.2 + rng.random() / 10), outputs=outputs, features=features)

    for _ in range(60):
        n_c, n_s = int(rng.poisson(100)), int(rng.poisson(900))
        known = after(known, counted((n_c, n_s), (n_c // 50, n_s // 60), weight=0.1), detected(one(n_c), one(n_s)))
    assert len(json.dumps(known.document())) < 15_000


def test_several_rollouts_are_never_written_as_one() -> None:
    several = after(experiment("errors"), counted((np.full(2, 10.0), np.full(2, 90.0))))
    with pytest.raises(ValueError, match="holds several rollouts"):
        several.document()


@pytest.mark.parametrize("truth", [0.0, 0.04])
def test_intervals_hold_the_truth_at_all_looks_together(truth: float) -> None:
    """Also while the rates of both versions change, and with a candidate that gets more and more traffic."""
    rng, rollouts = np.random.default_rng(7), 400
    known = experiment("errors", "labels")
    missed = {"errors": np.zeros(rollouts, dtype=np.bool_), "labels": np.zeros(rollouts, dtype=np.bool_)}
    for look in range(60):
        rate = 0.02 if look < 30 else 0.1
        n_c, n_s = (rng.poisson(mean, rollouts).astype(np.float64) for mean in (10 + 2 * look, 200))
        k_c, k_s = (
            rng.binomial(n.astype(np.int64), p).astype(np.float64) for n, p in ((n_c, rate + truth), (n_s, rate))
        )
        losses = (
            ArmTick(losses=(Moments(n=n_c, sum=k_c, sumsq=k_c),)),
            ArmTick(losses=(Moments(n=n_s, sum=k_s, sumsq=k_s),)),
        )
        known = after(known, counted((n_c, n_s), (k_c, k_s)), detected(*losses))
        assert known.losses is not None
        bounds = {
            "errors": known.shares["errors"].interval(0.05, np.asarray(0.0)),
            "labels": known.losses.means.difference.interval(0.05, np.asarray(0.0)),
        }
        for gate, (lower, upper) in bounds.items():
            missed[gate] |= (truth < lower) | (truth > upper)
    assert {gate: bool(missed[gate].mean() <= 0.05) for gate in missed} == {"errors": True, "labels": True}
    assert np.median(upper - lower) < 0.05
