"""What is fixed when a rollout begins."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np

from leeway_operators.evidence.findings import GATES, GateName
from leeway_operators.evidence.state import Array, UnreadableError, mapping, number

LARGEST_MARGIN = 0.99


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Where a gate's questions lie, in what it compares.

    Attributes:
        margin: by which the candidate may be worse at a Pass.
        tolerance: by which it may be worse without being rolled back.
    """

    margin: Array
    tolerance: Array


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """One watched gate.

    Attributes:
        required: whether it must Pass before promotion.
        margin: None takes the gate's default; for errors and latency the larger of .01 (.02) and half of stable's rate.
    """

    required: bool
    margin: float | None = None


@dataclass(frozen=True, kw_only=True)
class History:
    """Stable's rates before the rollout, from which tests start; None: unknown."""

    errors: float | None = None
    slow: float | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is fixed when a rollout begins.

    Attributes:
        alpha_rollback: chance of ever rolling back a version as good as stable, over all gates and steps.
        alpha_promote: chance of passing one that is worse by the margin, per gate.
        gates: those that are watched.
        history: of stable.

    Raises:
        ValueError: a chance, a margin or a rate is out of its range, or a gate is unknown.
    """

    alpha_rollback: float
    alpha_promote: float
    gates: Mapping[GateName, GateSettings]
    history: History = History()

    def __post_init__(self) -> None:
        """Say at once what cannot be."""
        for name, alpha in (("rollback", self.alpha_rollback), ("promote", self.alpha_promote)):
            if not 0 < alpha < 1:
                raise ValueError(f"alpha.{name}: expected a chance between 0 and 1, found {alpha}")
        for gate, one in self.gates.items():
            if gate not in GATES:
                raise ValueError(f"gates: expected some of {', '.join(GATES)}, found {gate}")
            if one.margin is not None and not 0 <= one.margin <= LARGEST_MARGIN:
                raise ValueError(f"gates.{gate}.margin: expected 0 to {LARGEST_MARGIN}, found {one.margin}")
        for name, rate in (("errors", self.history.errors), ("slow", self.history.slow)):
            if rate is not None and not 0 <= rate <= 1:
                raise ValueError(f"history.{name}: expected a share from 0 to 1, found {rate}")

    def margin(self, gate: GateName) -> float:
        """By how much the candidate may be worse, as asked for or the gate's default."""
        asked = self.gates[gate].margin
        return asked if asked is not None else self._default(gate)

    def edges(self, gate: GateName) -> Edges:
        """The margin, and what of it is tolerated without a rollback.

        Nothing for errors: two versions that are equally good fail equally often. Half of the margin where equally good
        versions differ a little as a rule, which enough traffic would prove: two sets of pods are never equally fast,
        two models never equally right. The whole margin for predictions: a new version is meant to answer otherwise.
        """
        margin = self.margin(gate)
        tolerated = {"errors": 0.0, "predictions": 1.0}.get(gate, 0.5)
        return Edges(margin=np.asarray(margin), tolerance=np.asarray(tolerated * margin))

    def _default(self, gate: GateName) -> float:
        match gate:
            case "errors":
                return max(0.01, (self.history.errors or 0.0) / 2.0)
            case "latency":
                return max(0.02, (self.history.slow or 0.0) / 2.0)
            case "predictions":
                return 0.1
            case "dataQuality" | "labels":
                return 0.02


def settings_of(document: object, where: str) -> Settings:
    """Read back the settings of a rollout that has begun.

    Raises:
        UnreadableError: it is something else.
    """
    given = mapping(document, where, expected=("alphaRollback", "alphaPromote", "gates"))
    gates: dict[GateName, GateSettings] = {}
    for name, value in mapping(given["gates"], f"{where}.gates").items():
        one = mapping(value, f"{where}.gates.{name}", expected=("required", "margin"))
        if not isinstance(one["required"], bool):
            raise UnreadableError(f"{where}.gates.{name}.required: expected true or false")
        margin = number(one["margin"], f"{where}.gates.{name}.margin")
        gates[cast("GateName", name)] = GateSettings(required=one["required"], margin=margin)
    try:
        return Settings(
            alpha_rollback=number(given["alphaRollback"], f"{where}.alphaRollback"),
            alpha_promote=number(given["alphaPromote"], f"{where}.alphaPromote"),
            gates=gates,
        )
    except UnreadableError:
        raise
    except ValueError as error:
        raise UnreadableError(f"{where}: {error}") from error
