"""The entries of a status both ways: findings, decisions, commands, finished attempts."""

import math
from datetime import UTC, datetime
from typing import Any, Literal

from leeway_operators.core.model import (
    Command,
    Decision,
    LastCommand,
    Outcome,
    Record,
    Rejected,
    Slot,
)
from leeway_operators.core.reading import Fields
from leeway_operators.evidence.findings import Finding, Side, Verdict


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as Kubernetes writes metav1.Time."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def known(name: str, value: object) -> dict[str, Any]:
    """A field that is left out if its value is not known."""
    return {name: value} if value is not None else {}


def number(name: str, value: float | None) -> dict[str, Any]:
    """JSON has no NaN: what is not a number is not known."""
    return {name: float(value)} if value is not None and math.isfinite(value) else {}


def _side_of(value: Fields) -> Side:
    return Side(n=value.number("n"), mean=value.optional("mean", value.number))


def finding_of(value: Fields) -> Finding:
    """A finding of `status.evidence`, or of a decision."""
    verdict: Verdict = value.choice("verdict", Verdict)
    return Finding(
        gate=value.text("gate"),
        verdict=verdict,
        candidate=_side_of(value.fields("candidate")),
        stable=_side_of(value.fields("stable")),
        estimate=value.optional("estimate", value.number),
        lower=value.optional("lower", value.number),
        upper=value.optional("upper", value.number),
        margin=value.optional("margin", value.number),
        progress=value.optional("progress", value.number),
        reason=value.optional("reason", value.text) or "",
    )


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as in `status.evidence`."""
    return {
        **_short(finding),
        **number("progress", finding.progress),
        "reason": finding.reason,
    }


def _short(finding: Finding) -> dict[str, Any]:
    """Without what only matters at its own look: there may be fifty decisions in a status."""
    return {
        "gate": finding.gate,
        "verdict": finding.verdict,
        "candidate": {"n": float(finding.candidate.n), **number("mean", finding.candidate.mean)},
        "stable": {"n": float(finding.stable.n), **number("mean", finding.stable.mean)},
        **number("estimate", finding.estimate),
        **number("lower", finding.lower),
        **number("upper", finding.upper),
        **number("margin", finding.margin),
    }


def decision_of(value: Fields) -> Decision:
    """A decision of `status.decisions`."""
    findings = tuple(finding_of(Fields.of(path, entry)) for path, entry in value.items("evidence"))
    return Decision(
        time=value.time("time"),
        what=value.text("what"),
        weight=value.integer("weight"),
        why=value.text("why"),
        findings=findings,
    )


def decision_document(decision: Decision) -> dict[str, Any]:
    """A decision as in `status.decisions` and in records."""
    return {
        "time": timestamp(decision.time),
        "what": decision.what,
        "weight": decision.weight,
        "why": decision.why,
        "evidence": [_short(finding) for finding in decision.findings],
    }


def command_of(value: Fields) -> Command:
    """The command that `command_document` wrote."""
    return Command(
        id=value.text("id"),
        verb=value.text("verb"),
        revision=value.optional("revision", value.text),
        by=value.text("by"),
        at=value.time("at"),
    )


def command_document(command: Command) -> dict[str, Any]:
    """A command as in `status.pausedBy` and, with its outcome, `status.lastCommand`."""
    return {
        "id": command.id,
        "verb": command.verb,
        **known("revision", command.revision),
        "by": command.by,
        "at": timestamp(command.at),
    }


def last_command_of(value: Fields) -> LastCommand:
    """`status.lastCommand`."""
    outcome: Literal["Done", "Refused"] = value.choice("outcome", Literal["Done", "Refused"])
    message, time = value.text("message"), value.time("time")
    return LastCommand(command=command_of(value), outcome=outcome, message=message, time=time)


def last_command_document(last: LastCommand) -> dict[str, Any]:
    """A command and what became of it."""
    ending = {"outcome": last.outcome, "message": last.message, "time": timestamp(last.time)}
    return command_document(last.command) | ending


def record_of(value: Fields) -> Record:
    """An entry of `status.history`."""
    slot: Slot = value.choice("slot", Slot)
    outcome: Outcome = value.choice("outcome", Outcome)
    return Record(
        # Attempts that ended before they were counted have none.
        number=value.optional("number", value.integer) or 0,
        version=value.text("version"),
        revision=value.text("revision"),
        slot=slot,
        outcome=outcome,
        reason=value.text("reason"),
        time=value.time("time"),
    )


def record_document(record: Record) -> dict[str, Any]:
    """An entry of `status.history`."""
    return {
        "number": record.number,
        "version": record.version,
        "revision": record.revision,
        "slot": record.slot,
        "outcome": record.outcome,
        "reason": record.reason,
        "time": timestamp(record.time),
    }


def rejected_of(value: Fields) -> Rejected:
    """An entry of `status.rejected`."""
    return Rejected(
        version=value.text("version"),
        revision=value.text("revision"),
        digest=value.optional("digest", value.text),
        reason=value.text("reason"),
        time=value.time("time"),
    )


def rejected_document(rejected: Rejected) -> dict[str, Any]:
    """An entry of `status.rejected`."""
    return {
        "version": rejected.version,
        "revision": rejected.revision,
        **known("digest", rejected.digest),
        "reason": rejected.reason,
        "time": timestamp(rejected.time),
    }
