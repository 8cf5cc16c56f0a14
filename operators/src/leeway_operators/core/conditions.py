"""Conditions after the kstatus conventions: positive or abnormal-true, CamelCase reasons, each with its generation."""

from collections.abc import Iterable
from dataclasses import replace

from leeway_operators.core.model import Condition


def carried_over(old: Iterable[Condition], new: Iterable[Condition]) -> tuple[Condition, ...]:
    """The new conditions; one whose status did not change keeps the time of its last transition."""
    before = {condition.type: condition for condition in old}
    return tuple(
        replace(condition, time=before[condition.type].time)
        if condition.type in before and before[condition.type].status == condition.status
        else condition
        for condition in new
    )
