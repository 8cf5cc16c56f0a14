"""Whether every metric and label in use is there, and if not, whether something that was read says why."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from leeway_operators.verify.core.exporters import EXPORTERS
from leeway_operators.verify.core.finding import Finding, Verdict
from leeway_operators.verify.core.grafana import ANYTHING
from leeway_operators.verify.core.promql import ExpressionError, Matcher, Read, read
from leeway_operators.verify.core.uses import Use

# Written by Prometheus itself while an alert is pending or fires.
_OF_ALERTS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
_SUFFIXES = ("_total", "_bucket", "_sum", "_count", "_created", "_info")
# Written by the scrape's configuration alone: no event ever brings a new value.
_OF_THE_SCRAPE = frozenset({"job"})
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
    """What all uses together ask of one metric."""

    users: set[str] = field(default_factory=set)
    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    chosen: dict[tuple[Matcher, ...], set[str]] = field(default_factory=lambda: defaultdict(set))
    everywhere: set[tuple[Matcher, ...]] = field(default_factory=set)


def check(uses: Iterable[Use], live: Live) -> list[Finding]:
    """What becomes of each metric, label and selection in use."""
    wanted: dict[str, _Wanted] = defaultdict(_Wanted)
    records: dict[str, list[Read]] = {}
    findings = []
    for use in uses:
        try:
            reading = read(use.expression, use.wanted)
        except ExpressionError as error:
            findings.append(Finding(kind="expression", what=str(error), verdict="missing", used_by=(use.by,)))
            continue
        if use.records:
            records.setdefault(use.records, []).extend(reading.reads)
        findings += [_lost(use, label) for label in sorted(reading.lost)]
        for one in reading.reads:
            _take(wanted[one.metric], one, use)
    return findings + list(_Check(live, records).all(wanted))


def _take(wanted: _Wanted, one: Read, use: Use) -> None:
    wanted.users.add(use.by)
    for label in one.labels - {ANYTHING}:
        wanted.labels[label].add(use.by)
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


class _Check:
    def __init__(self, live: Live, records: Mapping[str, Sequence[Read]]) -> None:
        self._live = live
        self._records = records
        self._known: dict[str, tuple[Verdict, str, str]] = {}

    def all(self, wanted: Mapping[str, _Wanted]) -> Iterator[Finding]:
        """What becomes of each metric, and of its labels and selections if it has series."""
        for metric, asked in sorted(wanted.items()):
            verdict, why, onward = self._verdict(metric)
            labels = ",".join(sorted(asked.labels))
            what = f"{metric}{{{labels}}}" if labels else metric
            users = tuple(sorted(asked.users))
            yield Finding(kind="metric", what=what, verdict=verdict, used_by=users, why=why, next=onward)
            if verdict == "found":
                yield from self._labels(metric, asked)
                yield from self._series(metric, asked)

    def _verdict(self, metric: str) -> tuple[Verdict, str, str]:
        if metric not in self._known:
            # A rule that reads what it records finds it missing, and does not ask for ever.
            self._known[metric] = ("missing", "only the rule that records it reads it", "")
            self._known[metric] = self._judged(metric)
        return self._known[metric]

    def _judged(self, metric: str) -> tuple[Verdict, str, str]:
        if self._live.count(selector(metric)):
            return "found", "", ""
        if metric in _OF_ALERTS:
            return "expected", "no alert is pending or fires", ""
        if metric in self._records:
            return self._recorded(metric)
        return (
            self._declared(metric) or self._foreign(metric) or ("missing", "no series, and no target declares it", _ASK)
        )

    def _declared(self, metric: str) -> tuple[Verdict, str, str] | None:
        families = [metric, *(metric.removesuffix(suffix) for suffix in _SUFFIXES if metric.endswith(suffix))]
        job = next((found[0] for family in families if (found := self._live.declarers(family))), None)
        if job is None:
            return None
        if self._live.drops(job, metric):
            why = f"job {job} has it, and its scrape is told to drop it"
            return "missing", why, "name it in metricRelabelings of the PodMonitor"
        return "expected", f"job {job} declares it and has no series of it yet", ""

    def _foreign(self, metric: str) -> tuple[Verdict, str, str] | None:
        exporter = next((known for known in EXPORTERS if metric.startswith(known.prefix)), None)
        if exporter is None or self._live.count(selector(f"{exporter.prefix}.+")):
            return None
        return "expected", f"no series {exporter.prefix}… at all: {exporter.name} is not scraped here", exporter.install

    def _recorded(self, metric: str) -> tuple[Verdict, str, str]:
        """A rule without a result is one that nothing happened to, or one that reads what is not there."""
        reads = self._records[metric]
        for one in reads:
            verdict, why, onward = self._verdict(one.metric)
            if verdict != "found":
                return verdict, f"its rule reads {one.metric}: {why}", onward
        for one in reads:
            if one.matchers and not self._live.count(selector(one.metric, one.matchers)):
                return (
                    "expected",
                    f"its rule reads {selector(one.metric, one.matchers)}, of which there is none yet",
                    "",
                )
        return "missing", "its rule has everything that it reads, and no result", "look at the rules below"

    def _labels(self, metric: str, asked: _Wanted) -> Iterator[Finding]:
        for label, users in sorted(asked.labels.items()):
            if not self._live.count(selector(metric, (Matcher(label, "!=", ""),))):
                yield Finding(
                    kind="label",
                    what=f"label {label} of {metric}",
                    verdict="missing",
                    used_by=tuple(sorted(users)),
                    why="no series of the metric has the label",
                    next=f"ask Prometheus: group by ({label}) ({selector(metric)})",
                )

    def _series(self, metric: str, asked: _Wanted) -> Iterator[Finding]:
        for matchers, users in sorted(asked.chosen.items(), key=lambda item: str(item[0])):
            if self._live.count(selector(metric, matchers)):
                continue
            why, verdict = "metric and labels are there, these values are not yet", "expected"
            by_scrape = tuple(matcher for matcher in matchers if matcher.label in _OF_THE_SCRAPE)
            if by_scrape and not self._live.count(selector(metric, by_scrape)):
                why, verdict = f"no scrape writes {', '.join(map(str, by_scrape))}", "missing"
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


def selector(metric: str, matchers: Sequence[Matcher] = ()) -> str:
    """A selector of a metric; of all whose names fit, if it is a regular expression."""
    plain = metric.replace(":", "_").isidentifier()
    terms = [*([] if plain else [str(Matcher("__name__", "=~", metric))]), *map(str, matchers)]
    return f"{metric if plain else ''}{'{' + ','.join(terms) + '}' if terms else ''}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
