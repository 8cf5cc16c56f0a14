"""Raw counters per pod from Prometheus: range selectors, never `increase`, so that each sample has its time.

A pod's counters are those of its newest scrape: all samples of one scrape share a timestamp.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from leeway_operators.core.evidence import CounterReading, Counters, GatewayCounters, Missing, Question
from leeway_operators.core.model import SLOTS, Rollout, Slot, other
from leeway_operators.core.queries import BUCKETS, REQUESTS, SENT_FAILED, SENT_FINE, Queries, endpoints
from leeway_operators.core.seen import Seen
from leeway_operators.shell.source import Look, Source, SourceError

# Scrapes between which the interval is observed.
_INTERVALS = 5


@dataclass(frozen=True)
class _Series:
    labels: Mapping[str, str]
    times: tuple[float, ...]
    last: float

    def label(self, name: str) -> str:
        return self.labels.get(name, "")


class Prometheus:
    """Reads what a look at the counters needs."""

    def __init__(self, source: Source | None) -> None:
        """Without a source every reading is missing."""
        self._source = source

    def read(self, rollout: Rollout, question: Question, seen: Seen) -> CounterReading | Missing:
        """The newest samples of both slots' pods."""
        if self._source is None:
            return Missing(reason="the operator was told of no Prometheus (--prometheus-url)")
        try:
            return self._read(self._source.look(), rollout, question, seen)
        except SourceError as error:
            return Missing(reason=str(error))

    def _read(self, source: Look, rollout: Rollout, question: Question, seen: Seen) -> CounterReading:
        revisions = question.revisions
        pods = [(slot, pod) for slot in SLOTS for pod in seen.slots[slot].pods if pod.revision == revisions.get(slot)]
        queries = Queries(rollout.namespace, rollout.name)
        servers, interval = _servers(_matrix(source, queries.counters(revisions.values())), revisions)
        addresses = {pod.ip: slot for slot, pod in pods if pod.ip is not None}
        return CounterReading(
            servers=servers,
            ready={pod.name: slot for slot, pod in pods if pod.ready},
            interval=interval,
            gateways=_gateways(_matrix(source, endpoints(addresses)), addresses) if addresses else {},
            history=_history(source, queries, question) if question.history else None,
        )


# ------------------------------------------------------------------------------------------------- what is asked


def _result(source: Look, query: str, kind: str) -> list[Any]:
    answer = source.get("api/v1/query", {"query": query})
    data = answer.get("data")
    if answer.get("status") != "success" or not isinstance(data, dict) or data.get("resultType") != kind:
        raise SourceError("the answer is not one of Prometheus' API: is the URL right?")
    if answer.get("warnings"):
        # Some of several stores did not answer, for one: what is here may be a part.
        raise SourceError(f"Prometheus warned that its answer may be partial: {str(answer['warnings'])[:200]}")
    result = data.get("result")
    return result if isinstance(result, list) else []


def _matrix(source: Look, query: str) -> list[_Series]:
    return [_series(item) for item in _result(source, query, "matrix")]


def _series(item: Any) -> _Series:
    try:
        labels, values = item["metric"], item["values"]
        return _Series(labels, tuple(float(time) for time, _ in values[-_INTERVALS - 1 :]), float(values[-1][1]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SourceError(f"Prometheus answered with a series that is none: {str(item)[:100]}") from error


# ------------------------------------------------------------------------------------------------- what was read


def _newest(series: Iterable[_Series]) -> Mapping[str, list[_Series]]:
    """Each pod's series of its newest scrape; one that ended before is of a process that is gone."""
    pods: dict[str, list[_Series]] = defaultdict(list)
    for one in series:
        pods[one.label("pod")].append(one)
    return {
        pod: [one for one in found if one.times[-1] == max(any_.times[-1] for any_ in found)]
        for pod, found in pods.items()
    }


def _servers(series: list[_Series], revisions: Mapping[Slot, str]) -> tuple[Mapping[str, Counters], float | None]:
    servers, gaps = {}, []
    for pod, found in _newest(one for one in series if _runs(one, revisions)).items():
        _refuse_doubles(pod, found)
        asked = [one for one in found if one.label("__name__") == REQUESTS]
        buckets: dict[float, float] = defaultdict(float)
        for one in found:
            if one.label("__name__") == BUCKETS:
                buckets[_bound(one.label("le"))] += one.last
        slot: Slot = "a" if found[0].label("leeway_dev_slot") == "a" else "b"
        servers[pod] = Counters(
            slot=slot,
            time=found[0].times[-1],
            # A pod without the counter is not one without requests.
            requests=sum(one.last for one in asked) if asked else math.nan,
            errors=sum(one.last for one in asked if not one.label("code").startswith("2")),
            refused=sum(one.last for one in asked if not one.label("code").startswith(("2", "5"))),
            buckets=dict(buckets),
        )
        longest = max(found, key=lambda one: len(one.times)).times
        if len(longest) > 1:
            gaps.append(median(after - before for before, after in pairwise(longest)))
    return servers, max(gaps, default=None)


def _runs(one: _Series, revisions: Mapping[Slot, str]) -> bool:
    slot, revision = one.label("leeway_dev_slot"), one.label("leeway_dev_revision")
    return any(slot == wanted and revision == of for wanted, of in revisions.items())


def _refuse_doubles(pod: str, found: list[_Series]) -> None:
    """A pod that two scrape configurations scrape would count double."""
    places = ("job", "instance", "endpoint", "container")
    told = {tuple(sorted((name, one.label(name)) for name in places)) for one in found}
    if len(told) > 1:
        jobs = ", ".join(sorted({f"{one.label('job')} {one.label('instance')}".strip() for one in found}))
        raise SourceError(f"pod {pod} is scraped more than once ({jobs}), and its requests would count double")


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise SourceError(f"expected a number as a bucket's bound `le`, got {text[:40]!r}") from error


def _gateways(series: list[_Series], addresses: Mapping[str, Slot]) -> Mapping[str, GatewayCounters]:
    found: dict[str, GatewayCounters] = {}
    for pod, own in _newest(series).items():
        ends: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for one in own:
            end = (one.label("envoy_cluster_name"), one.label("envoy_endpoint_address"))
            if one.label("__name__") in ends[end]:
                raise SourceError(f"gateway pod {pod} is scraped more than once, and its requests would count double")
            ends[end][one.label("__name__")] = one.last
        for (cluster, address), counts in ends.items():
            slot = addresses.get(address.rpartition(":")[0].strip("[]"))
            if slot is None or len(counts) < 2:  # noqa: PLR2004 both of the pair
                continue
            failed = counts[SENT_FAILED]
            found[f"{pod}/{cluster}/{address}"] = GatewayCounters(
                slot=slot, time=own[0].times[-1], requests=counts[SENT_FINE] + failed, failures=failed
            )
    return found


def _history(source: Look, queries: Queries, question: Question) -> Counters:
    """About what stable counted in the hour before: an estimate, from which the tests start; no gate counts it."""
    slot = other(question.candidate)
    revision = question.revisions[slot]
    codes = _vector(source, queries.codes(slot, revision), "code")
    bounds = _vector(source, queries.durations(slot, revision), "le")
    return Counters(
        slot=slot,
        time=0.0,
        requests=sum(codes.values()),
        errors=sum(count for code, count in codes.items() if not code.startswith("2")),
        buckets={_bound(le): count for le, count in bounds.items()},
    )


def _vector(source: Look, query: str, label: str) -> Mapping[str, float]:
    try:
        values = {item["metric"].get(label, ""): float(item["value"][1]) for item in _result(source, query, "vector")}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise SourceError("Prometheus answered with a vector that is none") from error
    return {key: value for key, value in values.items() if math.isfinite(value)}
