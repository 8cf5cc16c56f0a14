"""Cells that two versions of a model have in common: in the same bins alone it shows whether both get the same inputs.

A retrained version brings a profile of its own, with other bins. While two versions answer side by side, requests of
the newer one are therefore counted a second time, in the bins of the older one, whose own counts serve as they are.
Which one is older is read from the profiles, not from what was seen when: every replica says the same, after any
restart.
"""

from collections.abc import Iterable, Mapping

from leeway_drift.reading.events import Stream
from leeway_drift.streaming.cells import Cells
from leeway_drift.streaming.judging import Rules
from leeway_drift.streaming.live import SLOTS
from leeway_drift.streaming.streams import StreamState

Answered = Mapping[tuple[Stream, str], float]
"""Time of the latest request, in seconds since the epoch, by version and slot."""


def is_older(one: Rules, other: Rules) -> bool:
    """Whether a profile's rows ended before another's; of those that ended together, an order that all agree on."""
    return (one.until, one.cells) < (other.until, other.cells)


def common_cells(rules: Rules, beside: Rules) -> Cells | None:
    """Cells in which a version's rows are to be counted a second time; None if its own bins are the common ones."""
    if rules.cells == beside.cells or is_older(rules, beside):
        return None
    return Cells.of(beside.plan, beside.cells, rules.plan)


def cells_beside(stream: Stream, streams: Iterable[tuple[Stream, StreamState]]) -> dict[str, Cells]:
    """Cells by digest in which another replica may have counted a version's rows a second time."""
    known = dict(streams)
    state = known.get(stream)
    if state is None or (own := state.rules) is None:
        return {}
    others = (
        found.rules
        for other, found in known.items()
        if (other.namespace, other.model) == (stream.namespace, stream.model) and found.rules is not None
    )
    return {rules.cells: cells for rules in others if (cells := common_cells(own, rules)) is not None}


def share_cells(streams: Iterable[tuple[Stream, StreamState]], since: float) -> None:
    """Have each version count as the one beside it needs it.

    Args:
        streams: all there are.
        since: a slot whose last request is older, in seconds since the epoch, is silent: nothing is beside the other.
    """
    latest: dict[tuple[str, str, str], StreamState] = {}
    for stream, state in streams:
        state.common = None
        for slot in SLOTS:
            key = stream.namespace, stream.model, slot
            known, answered = latest.get(key), state.answered.get(slot, since)
            if answered > since and (known is None or known.answered[slot] < answered):
                latest[key] = state
    for (namespace, model, slot), state in latest.items():
        beside = latest.get((namespace, model, SLOTS[1 - SLOTS.index(slot)]))
        if beside is not None and beside.rules is not None and state.rules is not None:
            state.common = common_cells(state.rules, beside.rules)
