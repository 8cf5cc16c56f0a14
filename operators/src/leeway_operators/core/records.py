"""The record of an attempt: what was compared, what was decided on which numbers, and how it ended."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from leeway_operators.core import entries
from leeway_operators.core.figures import UNKNOWN, count, difference, figure, span
from leeway_operators.core.model import Arm, Record, Rollout, Status
from leeway_operators.core.objects import LABEL_MODEL, LABEL_REVISION, LABEL_VERSION, owned
from leeway_operators.core.reading import Fields

JSON_KEY, MARKDOWN_KEY = "record.json", "record.md"


def name_of(model: str, number: int) -> str:
    """Name of the ConfigMap with the record of an attempt."""
    return f"{model}-rollout-{number}"


def config_map(rollout: Rollout, status: Status, record: Record) -> dict[str, Any]:
    """The ConfigMap with the record of an attempt that has just ended.

    Args:
        rollout: the wish.
        status: as it was at the end, with the attempt's decisions and both arms.
        record: how it ended.
    """
    finished = document(rollout, status, record)
    labels = {LABEL_MODEL: rollout.name, LABEL_VERSION: record.version, LABEL_REVISION: record.revision}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owned(rollout, name_of(rollout.name, record.number), labels),
        "data": {JSON_KEY: json.dumps(finished, indent=2) + "\n", MARKDOWN_KEY: markdown(finished)},
    }


def document(rollout: Rollout, status: Status, record: Record | None) -> dict[str, Any]:
    """The record as JSON; without how it ended while it is under way.

    Args:
        rollout: the wish.
        status: with the attempt's decisions.
        record: how it ended; None: it has not, or nothing was ever tried.
    """
    candidate = _tried(status, record)
    against = status.stable if candidate is None or candidate != status.stable else status.previous
    analysis = status.analysis
    return {
        "model": rollout.name,
        "namespace": rollout.namespace,
        **_ending(status, record),
        **entries.known("candidate", candidate and _arm(candidate)),
        **entries.known("stable", against and _arm(against)),
        **entries.known("began", candidate and entries.timestamp(candidate.since)),
        **(
            {"requests": float(analysis.candidate_requests), "failures": float(analysis.candidate_failures)}
            if analysis is not None
            else {}
        ),
        "decisions": [entries.decision_document(decision) for decision in status.decisions],
        "evidence": [entries.finding_document(finding) for finding in analysis.findings] if analysis else [],
        "strategy": rollout.spec["strategy"],
    }


def parsed(text: str) -> dict[str, Any]:
    """A record that `config_map` wrote.

    Raises:
        ValueError: it is something else, and in which field.
    """
    record = Fields.of("record", json.loads(text))
    record.text("model")
    record.mapping("strategy")
    for path, value in record.items("evidence"):
        entries.finding_of(Fields.of(path, value))
    for path, value in record.items("decisions"):
        entries.decision_of(Fields.of(path, value))
    return {"evidence": [], "decisions": []} | dict(record.values)


def _ending(status: Status, record: Record | None) -> dict[str, Any]:
    if record is None:
        return {"phase": status.phase}
    return {
        "number": record.number,
        "outcome": record.outcome,
        "reason": record.reason,
        "why": status.decisions[-1].why if status.decisions else "",
        "ended": entries.timestamp(record.time),
    }


def _tried(status: Status, record: Record | None) -> Arm | None:
    if record is None:
        return status.candidate
    arms = (status.candidate, status.leaving, status.stable, status.previous)
    return next((arm for arm in arms if arm is not None and arm.release.revision == record.revision), None)


def _arm(arm: Arm) -> dict[str, Any]:
    release = arm.release
    return {
        "version": release.version,
        "revision": release.revision,
        **entries.known("digest", release.digest),
        "storageUri": release.storage_uri,
        "slot": arm.slot,
    }


# ----------------------------------------------------------------------------------------------------- in words


def markdown(record: Mapping[str, Any]) -> str:
    """A record, as `document` wrote it, for people."""
    parts = [f"# {title(record)}", *_intro(record), _arms(record)]
    if record["decisions"]:
        rows = [
            (_clock(item["time"]), item["what"], f"{item['weight']} %", item["why"]) for item in record["decisions"]
        ]
        parts += ["## Decisions", _table(("time (UTC)", "what", "candidate's weight", "why"), rows)]
    if record["evidence"]:
        sentences = "\n".join(f"- {finding['reason']}" for finding in record["evidence"])
        parts += ["## Evidence at the last look", _evidence(record["evidence"]), sentences]
    for decision in record["decisions"]:
        if decision["evidence"]:
            parts += [f"## Evidence at {_clock(decision['time'])}: {decision['what']}", _evidence(decision["evidence"])]
    parts += ["## Strategy", f"```json\n{json.dumps(record['strategy'], indent=2)}\n```"]
    return "\n\n".join(parts) + "\n"


def title(record: Mapping[str, Any]) -> str:
    """One line: which attempt, of what, and how it ended or stands."""
    version = record.get("candidate", {}).get("version")
    if "outcome" in record:
        return (
            f"{record['model']}, rollout {record['number']}: version {version} {record['outcome']} ({record['reason']})"
        )
    if version is None:
        return f"{record['model']}: no release under way"
    return f"{record['model']}: version {version} under way, {record['phase']}"


def _intro(record: Mapping[str, Any]) -> Iterable[str]:
    if record.get("why"):
        yield record["why"]
    if "began" in record:
        began = datetime.fromisoformat(record["began"])
        sentence = f"Began {_clock(record['began'])}"
        if "ended" in record:
            ended = datetime.fromisoformat(record["ended"])
            sentence += f", ended {_clock(record['ended'])} ({span(ended - began)})"
        if "requests" in record:
            requests, failures = count(record["requests"]), count(record["failures"])
            sentence += f". Of the requests to the candidate {requests} were counted; {failures} of them failed"
        yield sentence + "."


def _arms(record: Mapping[str, Any]) -> str:
    rows = [
        (role, arm["version"], arm["revision"], arm.get("digest", UNKNOWN), arm["storageUri"], arm["slot"])
        for role in ("candidate", "stable")
        if (arm := record.get(role)) is not None
    ]
    return _table(("", "version", "revision", "digest", "from", "slot"), rows)


def _evidence(findings: Sequence[Mapping[str, Any]]) -> str:
    header = ("gate", "verdict", "candidate", "stable", "difference", "interval", "margin")
    return _table(header, [_figures(finding) for finding in findings])


def _figures(finding: Mapping[str, Any]) -> tuple[str, ...]:
    gate = finding["gate"]
    lower, upper = finding.get("lower"), finding.get("upper")
    known = lower is not None and upper is not None
    return (
        gate,
        finding["verdict"],
        *(
            f"{figure(gate, finding[side].get('mean'))} of {count(finding[side]['n'])}"
            for side in ("candidate", "stable")
        ),
        difference(gate, finding.get("estimate")),
        f"{difference(gate, lower)} to {difference(gate, upper)}" if known else UNKNOWN,
        difference(gate, finding.get("margin")),
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _clock(time: str) -> str:
    return time.replace("T", " ").removesuffix("Z")
