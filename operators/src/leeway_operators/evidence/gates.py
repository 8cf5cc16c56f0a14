"""What the state of a gate means, in numbers and in a sentence."""

import math
from dataclasses import dataclass, replace

import numpy as np

from leeway_operators.evidence.bernoulli import MINIMUM_PASS_TICKS
from leeway_operators.evidence.bounded import Means
from leeway_operators.evidence.findings import Finding, GateName, Side, Verdict
from leeway_operators.evidence.losses import Losses
from leeway_operators.evidence.paired import Paired
from leeway_operators.evidence.predictions import DOUBTS, Predictions
from leeway_operators.evidence.settings import Edges
from leeway_operators.evidence.shares import Shares
from leeway_operators.evidence.words import between, count, one_or_more, percent, points, score

COUNTED: dict[GateName, tuple[str, str]] = {
    "errors": ("requests", "failed"),
    "latency": ("predictions", "took longer than the bound"),
    "dataQuality": ("rows", "had faulty data"),
}
"""Of what a share is, and of which."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is known about a gate besides its state.

    Attributes:
        edges: of the gate.
        fails: whether it proves harm, which is decided over all gates.
        unavailable: why its evidence does not count at this look; None: it does.
        alpha_interval: of the interval.
        alpha_promote: of a Pass.
    """

    edges: Edges
    fails: bool
    unavailable: str | None
    alpha_interval: float
    alpha_promote: float

    @property
    def margin(self) -> float:
        """As a number."""
        return float(self.edges.margin)

    def times(self, factor: float) -> "Judgement":
        """Of a number that is so many times as wide."""
        return replace(self, edges=Edges(margin=factor * self.edges.margin, tolerance=factor * self.edges.tolerance))

    def verdict(self, *, passes: bool) -> Verdict:
        """Harm beats everything, and what is not available is no Pass."""
        return "Fail" if self.fails else "Pass" if passes and self.unavailable is None else "Insufficient"

    def weighed(self, evidence: float) -> float:
        """Log of the evidence for Pass over what is needed, 0 to 1."""
        return max(0.0, min(1.0, evidence / -math.log(self.alpha_promote)))


@dataclass(frozen=True, kw_only=True)
class _Said:
    """A gate's numbers, and what is said about them.

    Attributes:
        candidate: its part.
        stable: its part.
        estimate: NaN if unknown.
        low: NaN if unknown.
        high: NaN if unknown.
        facts: the numbers in words.
        missing: what stands between here and a Pass.
        within: what a Pass shows.
        progress: towards it.
        passes: whether it is reached.
        margin: in what is compared.
        ignored: ticks that were left out.
    """

    candidate: Side
    stable: Side
    estimate: float
    low: float
    high: float
    facts: str
    missing: str
    within: str
    progress: float
    passes: bool
    margin: float
    ignored: float

    def finding(self, gate: GateName, judgement: Judgement) -> Finding:
        """As a finding."""
        verdict = judgement.verdict(passes=self.passes)
        reason = self.facts
        if verdict == "Pass":
            reason = f"{self.facts}, {self.within}"
        elif verdict == "Insufficient":
            reason = f"{self.facts}; {judgement.unavailable or self.missing}"
        if self.ignored > 0:
            reason = f"{reason} ({one_or_more(self.ignored, 'tick')} left out: numbers that cannot be)"
        return Finding(
            gate=gate,
            verdict=verdict,
            candidate=self.candidate,
            stable=self.stable,
            estimate=_known(self.estimate),
            lower=_known(self.low),
            upper=_known(self.high),
            margin=self.margin,
            progress=self.progress,
            reason=f"{gate}: {reason}",
        )


def share_finding(gate: GateName, shares: Shares, judgement: Judgement) -> Finding:
    """Of a gate on a share."""
    candidate, stable = _side(shares.candidate_n, shares.candidate_k), _side(shares.stable_n, shares.stable_k)
    low, high = (float(bound) for bound in shares.interval(judgement.alpha_interval, judgement.edges.tolerance))
    ticks, weighed = float(shares.no_worse.ticks), judgement.weighed(float(shares.no_worse.evidence))
    things, did = COUNTED[gate]
    if ticks < MINIMUM_PASS_TICKS:
        missing = f"{count(ticks)} of the {MINIMUM_PASS_TICKS} ticks with data in both arms that a Pass needs"
    else:
        missing = f"{_evidence(weighed)} for: not worse by {points(judgement.margin)}"
    if candidate.mean is None or stable.mean is None:
        facts, missing = _silent(things, candidate, stable), "nothing to compare"
    else:
        facts = (
            f"{percent(candidate.mean)} of the candidate's {count(candidate.n)} {things} {did}, "
            f"{percent(stable.mean)} of stable's {count(stable.n)}: {between(low, high, share=True)}"
        )
    said = _Said(
        candidate=candidate,
        stable=stable,
        estimate=float(shares.whole.estimate),
        low=low,
        high=high,
        facts=facts,
        missing=missing,
        within=f"not worse by {points(judgement.margin)}",
        progress=min(weighed, ticks / MINIMUM_PASS_TICKS),
        passes=bool(shares.no_worse.shown(judgement.alpha_promote)),
        margin=judgement.margin,
        ignored=float(shares.ignored),
    )
    return said.finding(gate, judgement)


def loss_finding(losses: Losses, judgement: Judgement) -> Finding:
    """Of the gate on labels."""
    evidence = float(losses.means.difference.within(judgement.edges.margin))
    return _means_said(
        losses.means,
        judgement,
        things="labelled predictions",
        what="mean loss",
        compared="; minute by minute",
        evidence=evidence,
        within=f"not worse by {score(judgement.margin)}",
        ignored=float(losses.ignored),
    ).finding("labels", judgement)


def prediction_finding(predictions: Predictions, judgement: Judgement) -> Finding:
    """Of the gate on predictions."""
    evidence = float(predictions.within(judgement.edges.margin))
    ignored = float(predictions.ignored)
    if bool(predictions.paired.recent):
        said = _pairs_said(predictions.paired, judgement, evidence=evidence, ignored=ignored)
    elif predictions.outputs:
        name, output = max(predictions.outputs.items(), key=lambda item: float(item[1].harm))
        doubts = bool(output.doubt.difference.beyond.evidence > output.mean.difference.beyond.evidence)
        said = _means_said(
            output.doubt if doubts else output.mean,
            judgement.times(DOUBTS) if doubts else judgement,
            things="rows",
            what=f"mean doubt of {name}" if doubts else f"mean of {name}",
            compared="",
            evidence=evidence,
            within=f"means within {score(judgement.margin)} of each other",
            ignored=ignored,
        )
    else:
        said = _Said(
            candidate=Side(n=0.0),
            stable=Side(n=0.0),
            estimate=math.nan,
            low=math.nan,
            high=math.nan,
            facts="no output between 0 and 1, such as a probability, was seen in answers of both versions yet",
            missing="nothing to compare",
            within="",
            progress=0.0,
            passes=False,
            margin=judgement.margin,
            ignored=ignored,
        )
    return said.finding("predictions", judgement)


def _means_said(
    means: Means,
    judgement: Judgement,
    *,
    things: str,
    what: str,
    compared: str,
    evidence: float,
    within: str,
    ignored: float,
) -> _Said:
    candidate, stable = _side(means.candidate_n, means.candidate_sum), _side(means.stable_n, means.stable_sum)
    low, high = (
        float(bound) for bound in means.difference.interval(judgement.alpha_interval, judgement.edges.tolerance)
    )
    weighed = judgement.weighed(evidence)
    missing = f"{_evidence(weighed)} for: {within}"
    if candidate.mean is None or stable.mean is None:
        facts, missing = _silent(things, candidate, stable), "nothing to compare"
    else:
        facts = (
            f"{what} {score(candidate.mean)} over the candidate's {count(candidate.n)} {things}, "
            f"{score(stable.mean)} over stable's {count(stable.n)}{compared}: {between(low, high, share=False)}"
        )
    return _Said(
        candidate=candidate,
        stable=stable,
        estimate=float(means.difference.whole.estimate),
        low=low,
        high=high,
        facts=facts,
        missing=missing,
        within=within,
        progress=weighed,
        passes=evidence >= -math.log(judgement.alpha_promote),
        margin=judgement.margin,
        ignored=ignored,
    )


def _pairs_said(paired: Paired, judgement: Judgement, *, evidence: float, ignored: float) -> _Said:
    n, labelled, weighed = float(paired.n), float(paired.flips.n), judgement.weighed(evidence)
    estimate = float(paired.difference.whole.estimate)
    low, high = (
        float(bound) for bound in paired.difference.interval(judgement.alpha_interval, judgement.edges.tolerance)
    )
    facts = f"of {count(n)} rows that both versions answered"
    if labelled > 0:
        facts = f"{facts}, {percent(float(paired.flips.k) / labelled)} got another label"
    if math.isfinite(estimate):
        facts = f"{facts}, scores: {between(low, high, share=False)}"
    within = f"scores within {score(judgement.margin)} and fewer than {percent(judgement.margin)} other labels"
    return _Said(
        candidate=Side(n=n),
        stable=Side(n=n),
        estimate=estimate,
        low=low,
        high=high,
        facts=facts,
        missing=f"{_evidence(weighed)} for: {within}",
        within=within,
        progress=weighed,
        passes=evidence >= -math.log(judgement.alpha_promote),
        margin=judgement.margin,
        ignored=ignored,
    )


def _side(n: np.ndarray, total: np.ndarray) -> Side:
    return Side(n=float(n), mean=float(total) / float(n) if n > 0 else None)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _silent(things: str, candidate: Side, stable: Side) -> str:
    silent = [name for name, one in (("the candidate", candidate), ("stable", stable)) if one.mean is None]
    return f"no {things} of {' or '.join(silent)} were counted yet"


def _evidence(weighed: float) -> str:
    return f"{100.0 * weighed:.0f} % of the evidence"
