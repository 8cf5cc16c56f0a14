"""What the state of a gate means, in numbers and in a sentence."""

import math

from leeway_operators.evidence.bernoulli import MINIMUM_PASS_TICKS
from leeway_operators.evidence.findings import Finding, GateName, Side, Verdict
from leeway_operators.evidence.shares import Shares
from leeway_operators.evidence.words import between, count, one_or_more, percent, points

COUNTED: dict[GateName, tuple[str, str]] = {
    "errors": ("requests", "failed"),
    "latency": ("predictions", "took longer than the bound"),
    "dataQuality": ("rows", "had faulty data"),
}
"""Of what a share is, and of which."""


def side(n: float, total: float) -> Side:
    """One arm's part."""
    return Side(n=n, mean=total / n if n > 0 else None)


def known(value: float) -> float | None:
    """A number, or None where it is not known."""
    return value if math.isfinite(value) else None


def share_finding(
    gate: GateName, shares: Shares, *, fails: bool, unavailable: str | None, alpha_interval: float, alpha_promote: float
) -> Finding:
    """Of a gate on a share.

    Args:
        gate: its name.
        shares: its state.
        fails: whether it proves harm, which is decided over all gates.
        unavailable: why its evidence is missing, stale or lossy at this look; None: it is not.
        alpha_interval: of the interval.
        alpha_promote: of a Pass.
    """
    candidate = side(float(shares.candidate_n), float(shares.candidate_k))
    stable = side(float(shares.stable_n), float(shares.stable_k))
    low, high = (float(bound) for bound in shares.interval(alpha_interval))
    passes = unavailable is None and bool(shares.no_worse.shown(alpha_promote))
    ticks = float(shares.no_worse.ticks)
    weighed = max(0.0, min(1.0, float(shares.no_worse.evidence) / -math.log(alpha_promote)))
    margin = float(shares.margin)
    verdict: Verdict = "Fail" if fails else "Pass" if passes else "Insufficient"

    said = _shares_said(gate, candidate, stable)
    if candidate.mean is not None and stable.mean is not None:
        said = f"{said}: {between(low, high, share=True)}"
    if verdict == "Insufficient":
        said = unavailable or f"{said}; {_missing(candidate, stable, ticks, weighed, margin)}"
    elif verdict == "Pass":
        said = f"{said}, not worse by {points(margin)}"
    if shares.ignored > 0:
        said = f"{said} ({one_or_more(float(shares.ignored), 'tick')} left out: counts that cannot be)"
    return Finding(
        gate=gate,
        verdict=verdict,
        candidate=candidate,
        stable=stable,
        estimate=known(float(shares.whole.estimate)),
        lower=known(low),
        upper=known(high),
        margin=margin,
        progress=min(weighed, ticks / MINIMUM_PASS_TICKS, 1.0),
        reason=f"{gate}: {said}",
    )


def _shares_said(gate: GateName, candidate: Side, stable: Side) -> str:
    things, did = COUNTED[gate]
    if candidate.mean is None or stable.mean is None:
        silent = [name for name, one in (("the candidate", candidate), ("stable", stable)) if one.mean is None]
        return f"no {things} of {' and '.join(silent)} were counted yet"
    return (
        f"{percent(candidate.mean)} of the candidate's {count(candidate.n)} {things} {did}, "
        f"{percent(stable.mean)} of stable's {count(stable.n)}"
    )


def _missing(candidate: Side, stable: Side, ticks: float, weighed: float, margin: float) -> str:
    """What stands between here and a Pass."""
    if candidate.mean is None or stable.mean is None:
        return "nothing can be compared"
    if ticks < MINIMUM_PASS_TICKS:
        return f"{count(ticks)} of the {MINIMUM_PASS_TICKS} ticks with data in both arms that a Pass needs"
    return f"{percent(weighed)} of the evidence that it is not worse by {points(margin)}"
