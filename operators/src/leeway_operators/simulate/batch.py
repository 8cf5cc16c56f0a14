"""Many rollouts in one experiment: some of them, either of two, and what the shipped tests say of each."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leeway_operators.evidence.experiment import Experiment

Flags = NDArray[np.bool_]
"""One yes or no per rollout."""


def spread(experiment: Experiment, rollouts: int) -> Experiment:
    """With an axis of rollouts in every array, which an experiment that has seen no tick has not."""
    wide: Experiment = _mapped(lambda array: np.broadcast_to(array, (rollouts, *array.shape)), experiment)
    return wide


def keep(rows: Flags, experiment: Experiment) -> Experiment:
    """Only these rollouts of an experiment that was spread."""
    # Where a state has begun since, with the first answers of a model, a plain number is the same in all rollouts.
    kept: Experiment = _mapped(lambda array: array[rows] if array.ndim else array, experiment)
    return kept


def choose(where: Flags, one: Experiment, other: Experiment) -> Experiment:
    """One experiment in the rollouts where it is asked for, the other elsewhere; one of them at least was spread."""

    def either(mine: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
        axes = max(mine.ndim, others.ndim) - 1
        return np.where(where.reshape(where.shape + (1,) * axes), mine, others)

    chosen: Experiment = _mapped(either, one, other)
    return chosen


def fresh(experiment: Experiment, rollouts: int) -> Experiment:
    """With the evidence for Pass begun anew in every rollout."""
    return choose(np.ones(rollouts, np.bool_), experiment.with_fresh_pass(), experiment)


def harmed(experiment: Experiment) -> Flags:
    """Where harm is proven."""
    return experiment.verdicts().harm


def harmed_at(alpha: float) -> Callable[[Experiment], Flags]:
    """Where harm is proven with another budget: the evidence does not depend on it, only what suffices."""
    return lambda experiment: harmed(replace(experiment, settings=replace(experiment.settings, alpha_rollback=alpha)))


def passed(experiment: Experiment) -> Flags:
    """Where every required gate passes and nothing speaks against it."""
    return experiment.verdicts().promotable


def broken(experiment: Experiment) -> Flags:
    """Where a precondition of every comparison does not hold."""
    anything: Flags = np.logical_or.reduce(np.broadcast_arrays(*experiment.verdicts().broken.values()))
    return anything


def _mapped(function: Callable[..., NDArray[Any]], *values: Any) -> Any:
    """A value like the first one, of new arrays: each is made of those at the same place in all values."""
    first = values[0]
    if isinstance(first, np.ndarray):
        return function(*values)
    if isinstance(first, Mapping):
        # An output of the model that was seen at this tick first has no other state to choose.
        return {name: _mapped(function, *(value.get(name, first[name]) for value in values)) for name in first}
    if not is_dataclass(first) or isinstance(first, type):
        return first
    return type(first)(
        **{part.name: _mapped(function, *(getattr(value, part.name) for value in values)) for part in fields(first)}
    )
