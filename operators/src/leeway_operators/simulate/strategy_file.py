"""Reads the strategy that is to be tried: a ModelRollout, its `strategy`, or only the steps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from leeway_operators.core.duration import parse_duration
from leeway_operators.core.strategy import Strategy, strategy_of
from leeway_operators.evidence.findings import GATES

# As the API server fills them in from the kind's schema.
DEFAULTS: Mapping[str, Any] = {
    "steps": [],
    "minRequests": 100,
    "analysis": {
        "interval": "10s",
        "alpha": {"rollback": 0.01, "promote": 0.05},
        "deadline": "24h",
        "onDeadline": "Hold",
        "gates": {},
    },
    "approval": {"required": False},
    "probation": {"duration": "24h", "weight": 0},
    "rollbackWindow": "1h",
    "onRevert": "Instant",
}
_STEP = {"weight", "hold", "shadow"}
_GATE = {"margin", "threshold", "loss", "required"}
_DURATIONS = {"interval", "deadline", "duration", "rollbackWindow"}
_CHOICES = {"onDeadline": ("Hold", "Rollback"), "onRevert": ("Instant", "Canary")}


class StrategyError(ValueError):
    """The file holds no strategy that could be tried: where, what, and what was expected."""


def read_strategy(path: Path) -> Strategy:
    """Read a YAML file.

    Raises:
        StrategyError: it cannot be read, or what it says cannot be simulated.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StrategyError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise StrategyError(f"{path}: is no YAML: {error}") from error
    return strategy_in(document)


def strategy_in(document: Any) -> Strategy:
    """The strategy in a parsed document.

    Raises:
        StrategyError: there is none, or it cannot be simulated.
    """
    where, value = _found(document)
    if not isinstance(value, dict):
        raise StrategyError(f"{where}: expected fields such as steps and minRequests, found {_kind(value)}")
    value = dict(value)
    match = value.pop("match", None)
    if match is not None:
        raise StrategyError(f"{where}.match: such a rollout never promotes by itself, so there is nothing to simulate")
    filled = _filled(where, value, DEFAULTS)
    _check_steps(f"{where}.steps", filled["steps"])
    _check_gates(f"{where}.analysis.gates", filled["analysis"]["gates"])
    for name, alpha in filled["analysis"]["alpha"].items():
        if not 0 < alpha <= 0.5:  # noqa: PLR2004 - as the kind's schema
            raise StrategyError(f"{where}.analysis.alpha.{name}: {alpha}: expected a number above 0, 0.5 at most")
    strategy = strategy_of({"strategy": filled})
    if strategy.interval.total_seconds() <= 0:
        raise StrategyError(f"{where}.analysis.interval: expected a duration above 0")
    if strategy.deadline <= sum((step.hold for step in strategy.steps), start=strategy.deadline * 0):
        raise StrategyError(
            f"{where}.analysis.deadline: {filled['analysis']['deadline']} is no longer than all holds together"
        )
    return strategy


def _found(document: Any) -> tuple[str, Any]:
    if isinstance(document, list):
        return "strategy", {"steps": document}
    if isinstance(document, dict):
        for path in (("spec", "strategy"), ("strategy",)):
            value: Any = document
            for name in path:
                value = value.get(name) if isinstance(value, dict) else None
            if value is not None:
                return ".".join(path), value
        if "spec" not in document:
            return "strategy", document
    raise StrategyError(f"expected a ModelRollout, its spec.strategy or a list of steps, found {_kind(document)}")


def _filled(where: str, value: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults under what is given; every given field must be known and of its default's kind."""
    unknown = sorted(set(map(str, value)) - set(defaults))
    if unknown:
        raise StrategyError(f"{where}.{unknown[0]}: unknown field, expected one of {', '.join(sorted(defaults))}")
    filled = dict(defaults)
    for name, given in value.items():
        default, here = defaults[name], f"{where}.{name}"
        if name == "gates":
            filled[name] = _mapping(here, given)
        elif isinstance(default, Mapping):
            filled[name] = _filled(here, _mapping(here, given), default)
        else:
            filled[name] = _checked(here, name, given, default)
    return filled


def _checked(where: str, name: str, given: Any, default: Any) -> Any:
    if name in _DURATIONS:
        return _duration(where, given)
    if name in _CHOICES and given not in _CHOICES[name]:
        raise StrategyError(f"{where}: {given!r}: expected {' or '.join(_CHOICES[name])}")
    numeric = isinstance(default, float) and isinstance(given, (int, float)) and not isinstance(given, bool)
    if not numeric and type(given) is not type(default):
        raise StrategyError(f"{where}: {given!r}: expected {_kind(default)}")
    if name == "minRequests" and given < 0:
        raise StrategyError(f"{where}: {given}: expected 0 or more")
    return given


def _check_steps(where: str, steps: list[Any]) -> None:
    if not steps:
        raise StrategyError(f"{where}: none, so all traffic moves at once after verification: nothing to simulate")
    before = -1
    for index, step in enumerate(steps):
        here = f"{where}[{index}]"
        fields = _mapping(here, step)
        unknown = sorted(set(map(str, fields)) - _STEP)
        if unknown:
            raise StrategyError(f"{here}.{unknown[0]}: unknown field, expected one of {', '.join(sorted(_STEP))}")
        weight, shadow = fields.get("weight"), fields.get("shadow", False)
        if type(weight) is not int or type(shadow) is not bool:
            raise StrategyError(f"{here}: expected weight, a whole number of percent, and shadow, true or false")
        if "hold" in fields:
            _duration(f"{here}.hold", fields["hold"])
        if shadow and weight != 0:
            raise StrategyError(f"{here}.weight: {weight}: a shadow step has weight 0")
        if not shadow and not 1 <= weight <= 99:  # noqa: PLR2004 - percent, and 100 is what comes after the last step
            raise StrategyError(f"{here}.weight: {weight}: expected 1 to 99; all traffic is what follows the last step")
        if weight <= before:
            raise StrategyError(f"{here}.weight: {weight}: expected more than the {before} of the step before")
        before = weight


def _check_gates(where: str, gates: Mapping[str, Any]) -> None:
    for gate, settings in gates.items():
        if gate not in GATES:
            raise StrategyError(f"{where}.{gate}: no gate, expected one of {', '.join(GATES)}")
        fields = _mapping(f"{where}.{gate}", settings)
        unknown = sorted(set(map(str, fields)) - _GATE)
        if unknown:
            raise StrategyError(
                f"{where}.{gate}.{unknown[0]}: unknown field, expected one of {', '.join(sorted(_GATE))}"
            )
        margin = fields.get("margin")
        if margin is not None and (isinstance(margin, bool) or not isinstance(margin, (int, float)) or margin < 0):
            raise StrategyError(f"{where}.{gate}.margin: {margin!r}: expected a number, 0 or more")
        if "threshold" in fields:
            _duration(f"{where}.{gate}.threshold", fields["threshold"])


def _mapping(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise StrategyError(f"{where}: expected fields, found {_kind(value)}")
    return value


def _duration(where: str, value: Any) -> str:
    try:
        parse_duration(value)
    except (TypeError, ValueError) as error:
        raise StrategyError(f"{where}: {value!r}: expected a duration such as 90s or 1h30m") from error
    return str(value)


def _kind(value: Any) -> str:
    names = {
        dict: "fields",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
    }
    return names.get(type(value), "nothing" if value is None else type(value).__name__)
