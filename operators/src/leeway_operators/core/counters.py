"""Raw counters of pods at scrapes, a tick at a time: what both arms counted over (nearly) the same minutes.

The gateway sees requests fail that never reached a server. What it counted replaces the server's count where it is
larger, but for those that the server refused, which are answered to the gateway. Their scrapes are seconds apart: the
larger of both *per tick* would be larger than either is over time, the larger of both *sums* is not.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leeway_operators.core.evidence import CounterReading, Counters
from leeway_operators.core.kept import Kept, Sample, Samples
from leeway_operators.core.model import SLOTS, Slot, other
from leeway_operators.evidence.experiment import History
from leeway_operators.evidence.ticks import CounterTick, Pair, Routed

# A sample is stale after this many scrapes that did not come, and not before this many seconds, within which a new
# target is found and scraped for the first time.
STALE_SCRAPES = 3
STALE_SECONDS = 45.0
# Of stable's requests, at most this share is over the bound that the latency gate takes by itself.
SLOW_SHARE = 0.05
# Predictions in the hour before; a share of fewer says nothing.
FEWEST_PREDICTIONS = 20


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """What a reading added.

    Attributes:
        tick: None between two scrapes.
        kept: to be given with the next reading, as JSON.
        reason: why the counters cannot be trusted at this look, in one sentence; None where they can, or where it is
            merely not time for a tick. A tick beside a reason counts against the candidate, never for it.
    """

    tick: CounterTick | None
    kept: Mapping[str, Any]
    reason: str | None


def advance(
    kept: Mapping[str, Any],
    reading: CounterReading,
    *,
    now: float,
    since: float,
    threshold: float | None,
    weight: float | None,
    candidate: Slot,
) -> Advanced:
    """Take a reading.

    A tick forms once every ready pod has a newer sample than its baseline. A first sample is a baseline, and so is the
    first at or after `since`: what grew across a change of weights belongs to neither side of it. A counter
    that fell began again at 0. A pod that is gone counts up to its last sample.

    Args:
        kept: what the reading before left; what cannot be read counts as nothing.
        reading: the newest samples.
        now: seconds since 1970.
        since: from when on counts belong together, seconds since 1970.
        threshold: the latency gate's bound in seconds; without one, or with one that is no bucket bound
            (`threshold_problem`), nothing counts as predicted or slow.
        weight: the candidate's share of the traffic, 0 to 1; None where the arms do not share it by weight.
        candidate: its slot.
    """
    problem = _problem(reading, now)
    if problem is not None:
        return Advanced(tick=None, kept=kept, reason=problem)
    if threshold is not None and threshold_problem(threshold, reading) is not None:
        threshold = None
    servers = {
        pod: Sample(sample.slot, sample.time, _values(sample, threshold))
        for pod, sample in reading.servers.items()
        if sample.time >= since
    }
    gateways = {
        name: Sample(sample.slot, sample.time, (sample.requests, sample.failures))
        for name, sample in reading.gateways.items()
        if sample.time >= since
    }
    before = Kept.of(kept)
    if before is None or (before.since, before.threshold) != (since, threshold):
        begun = Kept(since=since, threshold=threshold, servers=servers, gateways=gateways)
        return Advanced(tick=None, kept=begun.document(), reason=None)
    stale = now - _stale_after(reading)
    if before.gateways and all(sample.time < stale for sample in gateways.values()):
        return Advanced(tick=None, kept=kept, reason="the gateway's counts of its endpoints have stopped")
    if not _due(before.servers, servers, reading.ready):
        # A first sample is a baseline at once, although the tick is not complete.
        waiting = before.having(servers={**servers, **before.servers}, gateways={**gateways, **before.gateways})
        return Advanced(tick=None, kept=waiting.document(), reason=None)
    told = {slot: _Told(before, servers, gateways, slot) for slot in SLOTS}
    ours, theirs = told[candidate], told[other(candidate)]
    tick = CounterTick(
        seconds=_seconds(before.servers, servers, SLOTS),
        routed=_routed(before, servers, gateways, candidate),
        requests=Pair(candidate=ours.requests, stable=theirs.requests),
        errors=Pair(candidate=ours.errors, stable=theirs.errors),
        predicted=Pair(candidate=ours.predicted, stable=theirs.predicted),
        slow=Pair(candidate=ours.slow, stable=theirs.slow),
        weight=weight,
    )
    counted = {slot: told[slot].counted for slot in SLOTS}
    after = before.having(servers=servers, gateways=gateways, counted=counted)
    silent = next((slot for slot in SLOTS if slot not in reading.ready.values()), None)
    doubt = f"no pod of slot {silent} is ready" if silent is not None else None
    return Advanced(tick=tick, kept=after.document(), reason=doubt)


class _Told:
    """What one slot counted since the tick before."""

    def __init__(self, before: Kept, servers: Samples, gateways: Samples, slot: Slot) -> None:
        requests, errors, refused, self.predicted, self.slow = _growth(before.servers, servers, slot, 5)
        sent, failures = _growth(before.gateways, gateways, slot, 2)
        known = before.counted[slot]
        self.requests, self.errors, self.counted = known.plus(requests, errors, refused, sent, failures)


def threshold_of(history: Counters | None) -> float | None:
    """The bound that the latency gate takes by itself: the smallest that at most 5 % of stable's requests were over.

    None if stable gave fewer than 20 predictions in the hour before. The largest bound if more were over each of them.
    """
    if history is None or not history.buckets:
        return None
    predicted = history.buckets.get(math.inf, 0.0)
    bounds = _bounds(history)
    if not predicted >= FEWEST_PREDICTIONS or not bounds:
        return None
    fit = (bound for bound in bounds if predicted - history.buckets[bound] <= SLOW_SHARE * predicted)
    return next(fit, bounds[-1])


def threshold_problem(threshold: float, reading: CounterReading) -> str | None:
    """Why the latency gate cannot use this bound: it is none of the servers' buckets; None if it is one of each."""
    for pod, sample in sorted(reading.servers.items()):
        if threshold not in sample.buckets:
            known = ", ".join(f"{bound:g}" for bound in _bounds(sample))
            return f"the latency threshold of {threshold:g} s is no bucket bound of pod {pod}; " + (
                f"its bounds are {known} s" if known else "it has no histogram of its latency"
            )
    return None


def history_of(history: Counters | None, threshold: float | None) -> History:
    """Stable's rates in the hour before, from which the tests start; what was not observed is unknown."""
    if history is None:
        return History()
    predicted = history.buckets.get(math.inf, 0.0)
    slow = None
    if threshold is not None and threshold in history.buckets and predicted > 0:
        slow = min(max(1.0 - history.buckets[threshold] / predicted, 0.0), 1.0)
    errors = min(max(history.errors / history.requests, 0.0), 1.0) if history.requests > 0 else None
    return History(errors=errors, slow=slow)


def _bounds(sample: Counters) -> list[float]:
    return sorted(bound for bound in sample.buckets if math.isfinite(bound))


def _stale_after(reading: CounterReading) -> float:
    return max(STALE_SECONDS, STALE_SCRAPES * (reading.interval or 0.0))


def _problem(reading: CounterReading, now: float) -> str | None:
    """Why no tick can be made of the reading."""
    if not reading.ready:
        return "no pod of the model is ready"
    for pod, slot in sorted(reading.ready.items()):
        sample = reading.servers.get(pod)
        if sample is None:
            return f"pod {pod} of slot {slot} is in no metric yet"
        if now - sample.time > _stale_after(reading):
            return f"pod {pod} of slot {slot} was last scraped {now - sample.time:.0f} s ago"
    for pod, sample in sorted(reading.servers.items()):
        if not _sound(sample):
            return f"the counters of pod {pod} are no counters: requests {sample.requests:g}, errors {sample.errors:g}"
    for name, counted in sorted(reading.gateways.items()):
        if not all(math.isfinite(value) and value >= 0 for value in (counted.requests, counted.failures)):
            return f"the gateway's counters of {name} are no counters"
    return None


def _sound(sample: Counters) -> bool:
    cumulative = [count for _, count in sorted(sample.buckets.items())]
    answers = sample.requests, sample.errors, sample.refused
    finite = all(math.isfinite(value) and value >= 0 for value in (*answers, *cumulative))
    return finite and sample.refused <= sample.errors <= sample.requests and cumulative == sorted(cumulative)


def _values(sample: Counters, threshold: float | None) -> tuple[float, ...]:
    """Requests, errors, refused, predicted, slow."""
    answered = sample.requests, sample.errors, sample.refused
    if threshold is None:
        return *answered, 0.0, 0.0
    predicted = sample.buckets.get(math.inf, 0.0)
    return *answered, predicted, predicted - sample.buckets[threshold]


def _due(before: Samples, after: Samples, ready: Iterable[str]) -> bool:
    """Whether every ready pod has a baseline and was scraped since: a tick without one of them would be lopsided."""
    return all(pod in before and pod in after and after[pod].time > before[pod].time for pod in ready)


def _routed(before: Kept, servers: Samples, gateways: Samples, candidate: Slot) -> Routed:
    """By the gateway where it counts per endpoint: one scrape of it tells of both arms, and of an arm that got none."""
    arms = candidate, other(candidate)
    if before.gateways:
        seconds = _seconds(before.gateways, gateways, SLOTS)
        requests = [_growth(before.gateways, gateways, slot, 2)[0] for slot in arms]
        return Routed(requests=_pair(*requests), seconds=_pair(seconds, seconds))
    requests = [_growth(before.servers, servers, slot, 5)[0] for slot in arms]
    return Routed(
        requests=_pair(*requests), seconds=_pair(*(_seconds(before.servers, servers, (slot,)) for slot in arms))
    )


def _pair(candidate: float, stable: float) -> Pair:
    return Pair(candidate=candidate, stable=stable)


def _seconds(before: Samples, after: Samples, slots: Collection[Slot]) -> float:
    """Mean time between the samples of those sources of some slots that were sampled again; 0 if none was."""
    spans = [
        sample.time - before[name].time
        for name, sample in after.items()
        if name in before and sample.slot in slots and sample.time > before[name].time
    ]
    return sum(spans) / len(spans) if spans else 0.0


def _growth(before: Samples, after: Samples, slot: Slot, width: int) -> tuple[float, ...]:
    grown = [sample.grown(before[name]) for name, sample in after.items() if sample.slot == slot and name in before]
    return tuple(sum(column) for column in zip(*grown, strict=True)) if grown else (0.0,) * width
