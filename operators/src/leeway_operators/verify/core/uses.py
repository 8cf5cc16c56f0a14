"""Who reads which expression: rules, and the operator's own gates. Dashboards are read by `grafana`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from leeway_operators.core.queries import (
    LABELS_OF_GATEWAYS,
    LABELS_OF_SERVERS,
    SENT_FAILED,
    SENT_FINE,
    Queries,
)

Manifest = Mapping[str, Any]

# `$labels.model` in the text of an alert.
_TOLD = re.compile(r"\$labels\.([A-Za-z_]\w*)")
# A text that asks whether there is the label gets on without it.
_ASKED = re.compile(r"\{\{-?\s*(?:else\s+)?(?:if|with)\b[^}]*\}\}")

# `query "…"` and `query (printf "…" …)`: a text that asks Prometheus itself.
_QUERY = re.compile(r'\bquery\s+(?:\(\s*printf\s+)?"((?:\\.|[^"\\])*)"')
_PLACEHOLDER = re.compile(r"%[sqv]")
# What such a text takes from the answer; but for `label "…"`, which is empty where there is none, as a team may be.
_TAKEN = re.compile(r'\.Labels\.([A-Za-z_]\w*)|\bsortByLabel\s+"([^"]+)"')
# Stands for whatever is filled in: a selector with it needs the label, and no certain value.
ANYTHING = "leeway_verify_anything"


@dataclass(frozen=True, kw_only=True)
class Use:
    """One expression where it is in use.

    Attributes:
        by: who reads it.
        expression: as it is written, with variables filled in.
        wanted: labels that are looked for in its result.
        everywhere: whether each of its selections has to find series now: the operator asks for pods that are there.
        records: metric that the result is kept as.
    """

    by: str
    expression: str
    wanted: frozenset[str] = field(default_factory=frozenset)
    everywhere: bool = False
    records: str | None = None


def of_rules(objects: Iterable[Manifest]) -> Iterator[Use]:
    """Every rule of PrometheusRules, with the labels that its texts tell."""
    for found in objects:
        for group in found.get("spec", {}).get("groups", []):
            for rule in group.get("rules", []):
                expression = str(rule.get("expr", ""))
                if "alert" in rule:
                    by = f"alert {rule['alert']}"
                    yield Use(by=by, expression=expression, wanted=_told(rule))
                    yield from _asked(by, rule)
                else:
                    name = str(rule.get("record", ""))
                    yield Use(by=f"record {name}", expression=expression, records=name)


def _texts(rule: Manifest) -> list[str]:
    return [str(text) for part in ("annotations", "labels") for text in (rule.get(part) or {}).values()]


def _told(rule: Manifest) -> frozenset[str]:
    """Labels that the texts of an alert cannot do without."""
    asked = {label for text in _texts(rule) for block in _ASKED.findall(text) for label in _TOLD.findall(block)}
    return frozenset(label for text in _texts(rule) for label in _TOLD.findall(text)) - asked


def _asked(by: str, rule: Manifest) -> Iterator[Use]:
    """What the texts of an alert ask Prometheus themselves, with the labels that they take from the answer."""
    seen = set()
    for text in _texts(rule):
        queries = list(_QUERY.finditer(text))
        for index, query in enumerate(queries):
            end = queries[index + 1].start() if index + 1 < len(queries) else len(text)
            taken = frozenset(name for pair in _TAKEN.findall(text[query.end() : end]) for name in pair if name)
            expression = _PLACEHOLDER.sub(ANYTHING, query[1].replace('\\"', '"').replace("\\\\", "\\"))
            if (expression, taken) not in seen:
                seen.add((expression, taken))
                yield Use(by=f"{by}, its text", expression=expression, wanted=taken)


def of_gates(rollouts: Iterable[Manifest]) -> Iterator[Use]:
    """What the operator asks Prometheus for each model that serves, in the operator's own words."""
    for rollout in rollouts:
        namespace, name = rollout["metadata"]["namespace"], rollout["metadata"]["name"]
        stable = (rollout.get("status") or {}).get("stable") or {}
        if not stable.get("revision"):
            continue
        queries, by = Queries(namespace, name), f"gates of {namespace}/{name}"
        slot, revision = stable.get("slot", ""), stable["revision"]
        yield Use(by=by, expression=queries.counters([revision]), wanted=LABELS_OF_SERVERS, everywhere=True)
        yield Use(by=by, expression=queries.codes(slot, revision), everywhere=True)
        yield Use(by=by, expression=queries.durations(slot, revision), everywhere=True)
        # By metric: addresses are those of pods, which the operator reads as it asks.
        for metric in (SENT_FINE, SENT_FAILED):
            yield Use(by=by, expression=metric, wanted=LABELS_OF_GATEWAYS)
