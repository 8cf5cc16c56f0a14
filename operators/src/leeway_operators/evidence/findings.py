"""What comes out: a verdict per gate, in numbers and in words."""

from dataclasses import dataclass, field
from typing import Literal, get_args

GateName = Literal["errors", "latency", "predictions", "dataQuality", "labels"]
GATES: tuple[GateName, ...] = get_args(GateName)

Verdict = Literal["Pass", "Fail", "Insufficient"]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One arm's part in a finding: how many were counted, and their mean (a share, a loss, a score); None: unknown."""

    n: float
    mean: float | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is known about one question.

    Attributes:
        gate: a gate's name, or the precondition's: `sampleRatio`, `balance`.
        verdict: Pass: not worse by the margin; Fail: harm is proven; Insufficient: neither yet, or not measurable.
        estimate: candidate minus stable; None if unknown.
        lower: of an interval that is valid at every look, at the rollback alpha.
        upper: of it.
        margin: what counts as worse.
        progress: log of the evidence for Pass over what is needed, 0 to 1; None where it does not apply.
        reason: one sentence for a person.
    """

    gate: str
    verdict: Verdict
    candidate: Side
    stable: Side
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    margin: float | None = None
    progress: float | None = None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """Everything that is known at one look.

    Attributes:
        findings: one per gate that is watched.
        required: the gates that must Pass before promotion.
        harm: the gate that proves harm, within one budget over all gates and the whole rollout; None: no proof.
        broken: a precondition of every comparison that does not hold (`SampleRatioMismatch`, `InputsDiffer`,
            `DataQualityDiffers`), with its sentence: hold, and blame the routing, not the candidate.
        missing: required gates that do not pass yet.
    """

    findings: tuple[Finding, ...] = ()
    required: tuple[GateName, ...] = ()
    harm: GateName | None = None
    broken: tuple[str, str] | None = None
    missing: tuple[GateName, ...] = field(default=())

    @property
    def passes(self) -> bool:
        """True if every required gate passes and nothing speaks against it."""
        return bool(self.required) and not self.missing and self.harm is None and self.broken is None
