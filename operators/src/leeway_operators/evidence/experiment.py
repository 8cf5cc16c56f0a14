"""One rollout's evidence: begun once, fed a tick at a time, asked at every look; written to JSON between looks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.balance import FIRST_TICKS, Balance
from leeway_operators.evidence.batch import Batch
from leeway_operators.evidence.findings import Conclusion, Finding, GateName
from leeway_operators.evidence.gates import Judgement, loss_finding, prediction_finding, share_finding
from leeway_operators.evidence.losses import Losses
from leeway_operators.evidence.predictions import Predictions
from leeway_operators.evidence.ratio import SampleRatio
from leeway_operators.evidence.settings import GateSettings, History, Settings, settings_of
from leeway_operators.evidence.shares import Shares
from leeway_operators.evidence.state import Array, UnreadableError, mapping
from leeway_operators.evidence.ticks import CounterTick, DetectorTick, Pair
from leeway_operators.evidence.wealth import ALPHA, CEILING, LEAST, log_total
from leeway_operators.evidence.words import count, percent

__all__ = ["Experiment", "GateSettings", "History", "Settings", "UnreadableError", "Verdicts"]

SHARES: tuple[GateName, ...] = ("errors", "latency", "dataQuality")
ROLLBACK_POWER: tuple[GateName, ...] = ("errors", "latency", "predictions", "labels")
"""Gates whose harm is the candidate's fault. Faulty data is what it was sent: a reason to hold."""
OF_INPUTS: tuple[GateName, ...] = ("predictions", "labels")
"""Gates that say nothing about the versions where their inputs differ."""
_DECISIVE = -math.log(ALPHA)
_SUSPICIOUS = _DECISIVE / 2.0
_ONE = np.ones(())


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdicts:
    """What is decided, per rollout.

    Attributes:
        harm: whether harm is proven, within one budget over all gates and the whole rollout.
        passes: by gate.
        broken: preconditions that do not hold, by reason, in the order in which they are named.
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
        predictions: their gate, if it is watched.
        losses: the gate on labels, if it is watched.
        ratio: whether traffic is shared as the weights say.
        balance: whether both arms are sent the same kind of inputs.
        batch: how many rows a request brings.
    """

    settings: Settings
    shares: Mapping[GateName, Shares]
    predictions: Predictions | None
    losses: Losses | None
    ratio: SampleRatio
    balance: Balance
    batch: Batch

    @classmethod
    def begin(cls, settings: Settings) -> Self:
        """No evidence yet; margins are frozen here."""
        margins = {
            gate: GateSettings(required=one.required, margin=settings.margin(gate))
            for gate, one in settings.gates.items()
        }
        rates = {"errors": settings.history.errors, "latency": settings.history.slow}
        return cls(
            settings=replace(settings, gates=margins, history=History()),
            shares={gate: Shares.begin(rates.get(gate)) for gate in SHARES if gate in margins},
            predictions=Predictions.begin() if "predictions" in margins else None,
            losses=Losses.begin() if "labels" in margins else None,
            ratio=SampleRatio.begin(),
            balance=Balance.begin(),
            batch=Batch.begin(),
        )

    def with_fresh_pass(self, where: NDArray[np.bool_] | None = None) -> Self:
        """At the last step: Pass is judged on evidence begun now; evidence of harm stays.

        Args:
            where: in which rollouts of an array; None: in all.
        """
        asked = np.ones((), dtype=np.bool_) if where is None else where
        return replace(
            self,
            shares={gate: one.fresh(asked) for gate, one in self.shares.items()},
            predictions=self.predictions.fresh(asked) if self.predictions else None,
            losses=self.losses.fresh(asked) if self.losses else None,
        )

    def with_counters(self, tick: CounterTick) -> Self:
        """Weigh a tick of counters: errors, latency, sample ratio."""
        counts = {"errors": (tick.requests, tick.errors), "latency": (tick.predicted, tick.slow)}
        edges = self.settings.edges
        weighed = {
            gate: one.after(*counts[gate], edges(gate), temper=_ONE)
            for gate, one in self.shares.items()
            if gate in counts
        }
        return replace(self, shares={**self.shares, **weighed}, ratio=self.ratio.after(tick.routed, tick.weight))

    def with_detector(self, tick: DetectorTick) -> Self:
        """Weigh a tick of the detector: predictions, data quality, labels, balance."""
        candidate, stable, edges = tick.candidate, tick.stable, self.settings.edges
        batch = self.batch.after(tick)
        temper = batch.size
        shares = dict(self.shares)
        if "dataQuality" in shares:
            rows, faulty = (Pair(candidate=candidate.quality[i], stable=stable.quality[i]) for i in (0, 1))
            shares["dataQuality"] = shares["dataQuality"].after(
                rows, faulty, edges("dataQuality"), temper=temper, ceiling=CEILING
            )
        predictions, losses = self.predictions, self.losses
        return replace(
            self,
            shares=shares,
            predictions=predictions.after(tick, edges("predictions"), temper=temper) if predictions else None,
            losses=losses.after(candidate.losses, stable.losses, edges("labels"), temper=temper) if losses else None,
            balance=self.balance.after(tick, temper),
            batch=batch,
        )

    def verdicts(self) -> Verdicts:
        """What is decided, per rollout."""
        alpha, unweighed = self.settings.alpha_promote, self._unweighed
        passes = {gate: one.no_worse.shown(alpha) for gate, one in self.shares.items()}
        enough = -math.log(alpha)
        if self.predictions:
            evidence = self.predictions.within(self.settings.edges("predictions").margin)
            passes["predictions"] = (evidence >= enough) & ~unweighed
        if self.losses:
            evidence = self.losses.means.difference.within(self.settings.edges("labels").margin)
            passes["labels"] = (evidence >= enough) & ~unweighed
        return Verdicts(
            harm=log_total(*self._harm().values()) >= -math.log(self.settings.alpha_rollback),
            passes=passes,
            broken={reason: evidence >= _DECISIVE for reason, evidence in self._broken().items()},
            required=tuple(gate for gate, one in self.settings.gates.items() if one.required),
        )

    def conclude(self, unavailable: Mapping[GateName, str]) -> Conclusion:
        """What is known now; of one rollout.

        Args:
            unavailable: gates whose evidence is missing, stale or lossy at this look, and why: never a Pass.
        """
        verdicts = self.verdicts()
        harm = max(self._harm().items(), key=lambda one: float(one[1]))[0] if bool(verdicts.harm) else None
        reasons = [reason for reason, holds in verdicts.broken.items() if bool(holds)]
        faulty = "DataQualityDiffers" in reasons
        findings = {
            gate: self._finding(gate, unavailable, fails=gate == harm or (gate == "dataQuality" and faulty))
            for gate in self.settings.gates
        }
        return Conclusion(
            findings=tuple(findings.values()),
            required=verdicts.required,
            harm=harm,
            broken=(reasons[0], self._broken_said(reasons[0])) if reasons else None,
            missing=tuple(gate for gate in verdicts.required if findings[gate].verdict != "Pass"),
        )

    def document(self) -> dict[str, Any]:
        """As JSON: finite numbers, strings, lists and mappings.

        Raises:
            ValueError: it holds several rollouts.
        """
        settings = self.settings
        return {
            "settings": {
                "alphaRollback": settings.alpha_rollback,
                "alphaPromote": settings.alpha_promote,
                "gates": {
                    gate: {"required": one.required, "margin": one.margin} for gate, one in settings.gates.items()
                },
            },
            "shares": {gate: one.document() for gate, one in self.shares.items()},
            "predictions": self.predictions.document() if self.predictions else None,
            "losses": self.losses.document() if self.losses else None,
            "ratio": self.ratio.document(),
            "balance": self.balance.document(),
            "batch": self.batch.document(),
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """Read back what `document` wrote.

        Raises:
            UnreadableError: it is something else.
        """
        known = ("settings", "shares", "predictions", "losses", "ratio", "balance", "batch")
        given = mapping(document, "experiment", expected=known)
        begun = cls.begin(settings_of(given["settings"], "experiment.settings"))
        shares = mapping(given["shares"], "experiment.shares", expected=begun.shares)
        for name, fresh in (("predictions", begun.predictions), ("losses", begun.losses)):
            if (given[name] is None) != (fresh is None):
                raise UnreadableError(f"experiment.{name}: expected {'nothing' if fresh is None else 'a mapping'}")
        return replace(
            begun,
            shares={gate: Shares.of_document(shares[gate], f"experiment.shares.{gate}") for gate in begun.shares},
            predictions=begun.predictions and Predictions.of_document(given["predictions"], "experiment.predictions"),
            losses=begun.losses and Losses.of_document(given["losses"], "experiment.losses"),
            ratio=SampleRatio.of_document(given["ratio"], "experiment.ratio"),
            balance=Balance.of_document(given["balance"], "experiment.balance"),
            batch=Batch.of_document(given["batch"], "experiment.batch"),
        )

    @property
    def _suspected(self) -> NDArray[np.bool_]:
        """Whether inputs may differ: long before that is certain, no version is judged by its answers to them."""
        suspected: NDArray[np.bool_] = self.balance.evidence >= _SUSPICIOUS
        if "dataQuality" in self.shares:
            suspected = suspected | (self.shares["dataQuality"].worse.evidence >= _SUSPICIOUS)
        return suspected

    @property
    def _unweighed(self) -> NDArray[np.bool_]:
        """Whether gates that compare answers count for nothing yet."""
        return self._suspected | self.balance.unsettled

    def _harm(self) -> Mapping[GateName, Array]:
        """Log e-values of harm by gate, each with its share of the budget: the sum of the e-values decides."""
        evidence: dict[GateName, Array] = {
            gate: one.worse.evidence for gate, one in self.shares.items() if gate in ROLLBACK_POWER
        }
        if self.predictions:
            evidence["predictions"] = np.where(self._unweighed, LEAST, self.predictions.harm)
        if self.losses:
            evidence["labels"] = np.where(self._unweighed, LEAST, self.losses.means.difference.beyond.evidence)
        return {gate: one - math.log(len(evidence)) for gate, one in evidence.items()}

    def _broken(self) -> Mapping[str, Array]:
        """Log e-values against the preconditions of every comparison, by what breaks them."""
        broken = {"SampleRatioMismatch": self.ratio.evidence, "InputsDiffer": self.balance.evidence}
        if "dataQuality" in self.shares:
            broken["DataQualityDiffers"] = self.shares["dataQuality"].worse.evidence
        return broken

    def _finding(self, gate: GateName, unavailable: Mapping[GateName, str], *, fails: bool) -> Finding:
        settings, why = self.settings, unavailable.get(gate)
        if why is None and gate in OF_INPUTS and bool(self._unweighed):
            why = (
                "not weighed while the inputs of the two versions seem to differ"
                if bool(self._suspected)
                else f"not weighed before inputs were compared over {FIRST_TICKS} ticks"
            )
        judgement = Judgement(
            edges=settings.edges(gate),
            fails=fails,
            unavailable=why,
            alpha_interval=4.0 * ALPHA if gate == "dataQuality" else settings.alpha_rollback,
            alpha_promote=settings.alpha_promote,
        )
        if gate == "predictions" and self.predictions:
            return prediction_finding(self.predictions, judgement)
        if gate == "labels" and self.losses:
            return loss_finding(self.losses, judgement)
        return share_finding(gate, self.shares[gate], judgement)

    def _broken_said(self, reason: str) -> str:
        """One sentence on a precondition that does not hold."""
        if reason == "SampleRatioMismatch":
            total = float(self.ratio.total)
            return (
                f"the candidate got {percent(float(self.ratio.candidate) / total)} of {count(total)} requests, "
                f"by its weight it should have got {percent(float(self.ratio.expected) / total)}"
            )
        if reason == "InputsDiffer":
            return (
                f"the two versions are sent different inputs, most of all in {self.balance.suspect}: "
                "requests are not shared between them at random"
            )
        return self._finding("dataQuality", {}, fails=True).reason
