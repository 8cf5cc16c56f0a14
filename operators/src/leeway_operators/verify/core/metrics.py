"""Whether every metric and label in use is there, and if not, whether something that was read says why."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from leeway_operators.verify.core.exporters import EXPORTERS
from leeway_operators.verify.core.finding import Finding, Verdict
from leeway_operators.verify.core.parts import Part
from leeway_operators.verify.core.promql import ExpressionError, Matcher, Read, Reading, read
from leeway_operators.verify.core.uses import ANYTHING, Use

# Written by Prometheus itself while an alert is pending or fires.
_OF_ALERTS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
_SUFFIXES = ("_total", "_bucket", "_sum", "_count", "_created", "_info")
# Written by the scrape's configuration, and bounds of buckets: no event ever brings a new value.
_LASTING = frozenset({"job", "le"})
_NO_CONTRACT: Mapping[str, frozenset[str]] = MappingProxyType({})
_LONGEST = 120
_ASK = "kubectl get podmonitors,servicemonitors -A"


class Live(Protocol):
    """What is asked of the Prometheus."""

    def count(self, selector: str) -> int:
        """How many series it has of a selector now."""

    def declarers(self, family: str) -> Sequence[str]:
        """Jobs whose targets say in their metadata that they have a family of metrics, with series or without."""

    def drops(self, job: str, metric: str) -> bool:
        """Whether the scrape of a job is told to drop a metric."""


@dataclass
class _Wanted:
    """What all uses together ask of one metric; of several labels together one is enough."""

    users: set[str] = field(default_factory=set)
    labels: dict[frozenset[str], set[str]] = field(default_factory=lambda: defaultdict(set))
    chosen: dict[tuple[Matcher, ...], set[str]] = field(default_factory=lambda: defaultdict(set))
    everywhere: set[tuple[Matcher, ...]] = field(default_factory=set)


def check(
    uses: Iterable[Use], live: Live, off: Sequence[Part] = (), contract: Mapping[str, frozenset[str]] = _NO_CONTRACT
) -> list[Finding]:
    """What becomes of each metric, label and selection in use.

    Args:
        uses: all of them; a metric that one of them records is there for the others.
        live: the Prometheus.
        off: parts that the release does without.
        contract: labels of each metric that Leeway's own programs have.
    """
    wanted: dict[str, _Wanted] = defaultdict(_Wanted)
    records: dict[str, list[Reading]] = {}
    findings = []
    for use in uses:
        try:
            reading = read(use.expression, use.wanted)
        except ExpressionError as error:
            findings.append(Finding(kind="expression", what=str(error), verdict="missing", used_by=(use.by,)))
            continue
        if use.records:
            records.setdefault(use.records, []).append(reading)
        findings += [_lost(use, label) for label in sorted(reading.lost)]
        for one in reading.reads:
            _take(wanted[one.metric], one, use)
    return findings + list(_Check(live, records, off, contract).all(wanted))


def _take(wanted: _Wanted, one: Read, use: Use) -> None:
    wanted.users.add(use.by)
    for label in one.labels - {ANYTHING}:
        wanted.labels[frozenset({label})].add(use.by)
    if one.either:
        wanted.labels[one.either].add(use.by)
    # A value that a reader of the dashboard chooses is any value.
    chosen = tuple(matcher for matcher in one.matchers if ANYTHING not in matcher.value)
    if chosen:
        wanted.chosen[chosen].add(use.by)
        if use.everywhere:
            wanted.everywhere.add(chosen)


def _lost(use: Use, label: str) -> Finding:
    return Finding(
        kind="label",
        what=f"label {label} in the result",
        verdict="missing",
        used_by=(use.by,),
        why=f"the expression drops the label before it is told: {_short(use.expression)}",
        next="keep it: `by (…)`, `on (…)` or `group_left (…)` have to name it",
    )


@dataclass(frozen=True)
class _Judgement:
    """Of one metric; `root` is the metric that a recorded one is missing for."""

    verdict: Verdict
    why: str = ""
    next: str = ""
    root: str = ""


class _Check:
    def __init__(
        self,
        live: Live,
        records: Mapping[str, Sequence[Reading]],
        off: Sequence[Part],
        contract: Mapping[str, frozenset[str]],
    ) -> None:
        self._live = live
        self._contract = contract
        self._records = records
        self._off = off
        self._known: dict[str, _Judgement] = {}

    def all(self, wanted: Mapping[str, _Wanted]) -> Iterator[Finding]:
        """What becomes of each metric, and of its labels and selections if it has series."""
        for metric, asked in sorted(wanted.items()):
            found = self._verdict(metric)
            labels = ",".join(sorted("|".join(sorted(label)) for label in asked.labels))
            what = f"{metric}{{{labels}}}" if labels else metric
            users = tuple(sorted(asked.users))
            why = f"its rule reads {found.root}: {found.why}" if found.root else found.why
            yield Finding(kind="metric", what=what, verdict=found.verdict, used_by=users, why=why, next=found.next)
            if found.verdict == "found":
                yield from self._labels(metric, asked)
                yield from self._series(metric, asked)

    def _verdict(self, metric: str) -> _Judgement:
        if metric not in self._known:
            # A rule that reads what it records finds it missing, and does not ask for ever.
            self._known[metric] = _Judgement("missing", "only the rule that records it reads it")
            self._known[metric] = self._judged(metric)
        return self._known[metric]

    def _judged(self, metric: str) -> _Judgement:
        if self._live.count(selector(metric)):
            return _Judgement("found")
        if metric in _OF_ALERTS:
            return _Judgement("expected", "no alert is pending or fires")
        if metric in self._records:
            return self._recorded(metric)
        for excuse in (self._declared, self._left_out, self._foreign):
            if (found := excuse(metric)) is not None:
                return found
        return _Judgement("missing", "no series, and no target declares it", _ASK)

    def _declared(self, metric: str) -> _Judgement | None:
        job = next((found[0] for family in _families(metric) if (found := self._live.declarers(family))), None)
        if job is None:
            return None
        if self._live.drops(job, metric):
            why = f"job {job} has it, and its scrape is told to drop it"
            return _Judgement("missing", why, "name it in metricRelabelings of the PodMonitor")
        return _Judgement("expected", f"job {job} declares it and has no series of it yet")

    def _left_out(self, metric: str) -> _Judgement | None:
        part = next((part for part in self._off if metric.startswith(part.prefixes)), None)
        return None if part is None else _Judgement("expected", part.why)

    def _foreign(self, metric: str) -> _Judgement | None:
        exporter = next((known for known in EXPORTERS if metric.startswith(known.prefix)), None)
        if exporter is None or self._live.count(selector(f"{exporter.prefix}.+")):
            return None
        why = f"no series {exporter.prefix}… at all: {exporter.name} is not scraped here"
        return _Judgement("expected", why, exporter.install)

    def _recorded(self, metric: str) -> _Judgement:
        """A rule without a result is one that nothing happened to, or one that reads what is not there."""
        readings = self._records[metric]
        reads = [one for reading in readings for one in reading.reads]
        for one in reads:
            found = self._verdict(one.metric)
            if found.verdict != "found":
                return replace(found, root=found.root or one.metric)
        for one in reads:
            if one.matchers and not self._live.count(selector(one.metric, one.matchers)):
                why = f"its rule reads {selector(one.metric, one.matchers)}, of which there is none yet"
                return _Judgement("expected", why)
        if all(reading.filters for reading in readings):
            return _Judgement("expected", "its rule has a condition that nothing meets now")
        return _Judgement("missing", "its rule has everything that it reads, and no result", "look at the rules below")

    def _labels(self, metric: str, asked: _Wanted) -> Iterator[Finding]:
        for labels, users in sorted(asked.labels.items(), key=lambda item: sorted(item[0])):
            if any(self._live.count(selector(metric, (Matcher(label, "!=", ""),))) for label in labels):
                continue
            names = " or ".join(sorted(labels))
            coming = self._coming(metric, labels)
            yield Finding(
                kind="label",
                what=f"label {names} of {metric}",
                verdict="expected" if coming else "missing",
                used_by=tuple(sorted(users)),
                why=coming or "no series of the metric has it",
                next="" if coming else f"ask Prometheus: group by ({','.join(sorted(labels))}) ({selector(metric)})",
            )

    def _coming(self, metric: str, labels: frozenset[str]) -> str:
        """Why a label may be missing of all series there are; empty if it may not."""
        if metric in _OF_ALERTS:
            return "no alert that fires has it"  # an alert has the labels of its rule
        if any(labels & self._contract.get(family, frozenset()) for family in _families(metric)):
            return "its program knows no value of it yet"  # an empty label is none to Prometheus
        return ""

    def _series(self, metric: str, asked: _Wanted) -> Iterator[Finding]:
        for matchers, users in sorted(asked.chosen.items(), key=lambda item: str(item[0])):
            if self._live.count(selector(metric, matchers)):
                continue
            why, verdict = "metric and labels are there, these values are not yet", "expected"
            lasting = tuple(matcher for matcher in matchers if matcher.label in _LASTING)
            if lasting and not self._live.count(selector(metric, lasting)):
                why, verdict = f"no series has {', '.join(map(str, lasting))}, and no event brings it", "missing"
            elif matchers in asked.everywhere:
                why, verdict = "the metric is there, and not for the pods that the gates ask for", "missing"
            yield Finding(
                kind="series",
                what=selector(metric, matchers),
                verdict="missing" if verdict == "missing" else "expected",
                used_by=tuple(sorted(users)),
                why=why,
                next=f"ask Prometheus: {selector(metric)}" if verdict == "missing" else "",
            )


def _families(metric: str) -> list[str]:
    """Names that the family of a metric may go by: a histogram's has no suffix, a counter's often none either."""
    return [metric, *(metric.removesuffix(suffix) for suffix in _SUFFIXES if metric.endswith(suffix))]


def labels_of(metrics: Iterable[Mapping[str, Any]]) -> Mapping[str, frozenset[str]]:
    """The labels of each metric, from the list `metrics` of schemas/metrics.yaml."""
    return {metric["name"]: frozenset(metric["labels"]) for metric in metrics}


def selector(metric: str, matchers: Sequence[Matcher] = ()) -> str:
    """A selector of a metric; of all whose names fit, if it is a regular expression."""
    plain = metric.replace(":", "_").isidentifier()
    terms = [*([] if plain else [str(Matcher("__name__", "=~", metric))]), *map(str, matchers)]
    return f"{metric if plain else ''}{'{' + ','.join(terms) + '}' if terms else ''}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
