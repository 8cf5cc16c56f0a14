"""One rollout's evidence: begun once, fed a tick at a time, asked at every look; written to JSON between looks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.findings import Conclusion, GateName
from leeway_operators.evidence.gates import share_finding
from leeway_operators.evidence.ratio import ALPHA, SampleRatio
from leeway_operators.evidence.settings import GateSettings, History, Settings
from leeway_operators.evidence.shares import Shares
from leeway_operators.evidence.state import Array, UnreadableError
from leeway_operators.evidence.ticks import CounterTick, DetectorTick
from leeway_operators.evidence.wealth import LEAST

__all__ = ["Experiment", "GateSettings", "History", "Settings", "UnreadableError", "Verdicts"]

ROLLBACK_POWER: tuple[GateName, ...] = ("errors", "latency", "predictions", "labels")
"""Gates whose harm is the candidate's fault. Faulty data is what it was sent: a reason to hold."""
_ONE = np.ones(())


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdicts:
    """What is decided, per rollout.

    Attributes:
        harm: whether harm is proven, within one budget over all gates and the whole rollout.
        passes: by gate.
        broken: preconditions that do not hold, by reason.
        required: gates that must pass.
    """

    harm: NDArray[np.bool_]
    passes: Mapping[GateName, NDArray[np.bool_]]
    broken: Mapping[str, NDArray[np.bool_]]
    required: tuple[GateName, ...]

    @property
    def promotable(self) -> NDArray[np.bool_]:
        """Whether all required gates pass and nothing speaks against it."""
        against = np.logical_or.reduce(np.broadcast_arrays(self.harm, *self.broken.values()))
        if not self.required:
            return np.zeros_like(against)
        passing = (self.passes[gate] for gate in self.required)
        everything: NDArray[np.bool_] = np.logical_and.reduce(np.broadcast_arrays(~against, *passing))
        return everything


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """The state of all tests of one rollout, or of one each of a whole array of them.

    Attributes:
        settings: with margins that no longer depend on history.
        shares: gates on shares, by name.
        ratio: whether traffic is shared as the weights say.
    """

    settings: Settings
    shares: Mapping[GateName, Shares]
    ratio: SampleRatio

    @classmethod
    def begin(cls, settings: Settings) -> Self:
        """No evidence yet; margins are frozen here."""
        margins = {
            gate: GateSettings(required=one.required, margin=settings.margin(gate))
            for gate, one in settings.gates.items()
        }
        rates: dict[GateName, float | None] = {
            "errors": settings.history.errors,
            "latency": settings.history.slow,
            "dataQuality": None,
        }
        return cls(
            settings=replace(settings, gates=margins, history=History()),
            shares={
                gate: Shares.begin(margin=settings.margin(gate), tolerance=settings.tolerance(gate), history=rate)
                for gate, rate in rates.items()
                if gate in settings.gates
            },
            ratio=SampleRatio.begin(),
        )

    def with_fresh_pass(self, where: NDArray[np.bool_] | None = None) -> Self:
        """At the last step: Pass is judged on evidence begun now; evidence of harm stays.

        Args:
            where: in which rollouts of an array; None: in all.
        """
        asked = np.ones((), dtype=np.bool_) if where is None else where
        return replace(self, shares={gate: one.fresh(asked) for gate, one in self.shares.items()})

    def with_counters(self, tick: CounterTick) -> Self:
        """Weigh a tick of counters: errors, latency, sample ratio."""
        counts = {"errors": (tick.requests, tick.errors), "latency": (tick.predicted, tick.slow)}
        return replace(
            self,
            shares={
                gate: one.after(*counts[gate], _ONE) if gate in counts else one for gate, one in self.shares.items()
            },
            ratio=self.ratio.after(tick.requests, tick.weight),
        )

    def with_detector(self, tick: DetectorTick) -> Self:
        """Weigh a tick of the detector: predictions, data quality, labels, balance."""
        raise NotImplementedError

    def verdicts(self) -> Verdicts:
        """What is decided, per rollout."""
        settings = self.settings
        combined = np.logaddexp.reduce(np.broadcast_arrays(*self._harm().values(), np.asarray(LEAST)))
        return Verdicts(
            harm=combined >= -math.log(settings.alpha_rollback),
            passes={gate: one.no_worse.shown(settings.alpha_promote) for gate, one in self.shares.items()},
            broken={"SampleRatioMismatch": self.ratio.evidence >= -math.log(ALPHA)},
            required=tuple(gate for gate, one in settings.gates.items() if one.required),
        )

    def _harm(self) -> Mapping[GateName, Array]:
        """Log e-values of harm by gate, each with its share of the budget: the sum of the e-values decides."""
        watched = [gate for gate in ROLLBACK_POWER if gate in self.settings.gates]
        known = {gate: self.shares[gate].worse.evidence for gate in watched if gate in self.shares}
        return {gate: evidence - math.log(len(watched)) for gate, evidence in known.items()}

    def conclude(self, unavailable: Mapping[GateName, str]) -> Conclusion:
        """What is known now.

        Args:
            unavailable: gates whose evidence is missing, stale or lossy at this look, and why: never a Pass.
        """
        settings, verdicts = self.settings, self.verdicts()
        harm = max(self._harm().items(), key=lambda one: float(one[1]))[0] if bool(verdicts.harm) else None
        findings = tuple(
            share_finding(
                gate,
                one,
                fails=gate == harm,
                unavailable=unavailable.get(gate),
                alpha_interval=settings.alpha_rollback,
                alpha_promote=settings.alpha_promote,
            )
            for gate, one in self.shares.items()
        )
        passing = {finding.gate for finding in findings if finding.verdict == "Pass"}
        return Conclusion(
            findings=findings,
            required=verdicts.required,
            harm=harm,
            missing=tuple(gate for gate in verdicts.required if gate not in passing),
        )
