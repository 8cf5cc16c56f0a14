"""Many rollouts in one experiment: some of them, either of two, and what the shipped tests say of each."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.experiment import Experiment
from leeway_operators.evidence.state import State

Flags = NDArray[np.bool_]
"""One yes or no per rollout."""


def spread(experiment: Experiment, rollouts: int) -> Experiment:
    """With an axis of rollouts in every array, which an experiment that has seen no tick has not."""
    return choose(np.ones(rollouts, np.bool_), experiment, experiment)


def keep(rows: Flags, experiment: Experiment) -> Experiment:
    """Only these rollouts of an experiment that was spread."""
    kept: Experiment = _kept(rows, experiment)
    return kept


def choose(where: Flags, one: Experiment, other: Experiment) -> Experiment:
    """One experiment in the rollouts where it is asked for, the other one elsewhere."""
    chosen: Experiment = _chosen(where, one, other)
    return chosen


def harmed(experiment: Experiment) -> Flags:
    """Where harm is proven."""
    return experiment.verdicts().harm


def passed(experiment: Experiment) -> Flags:
    """Where every required gate passes and nothing speaks against it."""
    return experiment.verdicts().promotable


def broken(experiment: Experiment) -> Flags:
    """Where a precondition of every comparison does not hold."""
    anything: Flags = np.logical_or.reduce(np.broadcast_arrays(*experiment.verdicts().broken.values()))
    return anything


def _kept(rows: Flags, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value[rows] if value.shape[:1] == rows.shape else value
    if isinstance(value, Mapping):
        return {name: _kept(rows, item) for name, item in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    return type(value)(**{one.name: _kept(rows, getattr(value, one.name)) for one in fields(value)})


def _chosen(where: Flags, one: Any, other: Any) -> Any:
    if isinstance(one, State):
        return one.chosen(where, other)
    if isinstance(one, Mapping):
        return {name: _chosen(where, item, other[name]) for name, item in one.items()}
    if not is_dataclass(one) or isinstance(one, type):
        return one
    return type(one)(
        **{part.name: _chosen(where, getattr(one, part.name), getattr(other, part.name)) for part in fields(one)}
    )
