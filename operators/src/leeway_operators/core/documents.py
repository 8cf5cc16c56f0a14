"""Reads a ModelRollout's spec, and reads and writes its status, as the API server keeps them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from leeway_operators.core import entries
from leeway_operators.core.commands import command_of
from leeway_operators.core.model import (
    Analysis,
    Arm,
    Condition,
    Followed,
    Phase,
    Promoting,
    Release,
    Rollout,
    Slot,
    Status,
    Weights,
)
from leeway_operators.core.reading import Fields, Tolerant, UnreadableError
from leeway_operators.core.revision import revision_of
from leeway_operators.core.served import NO_LOSSES, Run
from leeway_operators.core.strategy import ALWAYS_REQUIRED, strategy_of
from leeway_operators.evidence.findings import Finding
from leeway_operators.evidence.ticks import Moments

_WHOLE = 100


def rollout_of(body: Mapping[str, Any]) -> Rollout:
    """A ModelRollout's wish from its object; defaults are the API server's, so every defaulted field is there."""
    metadata, spec = body["metadata"], body["spec"]
    model = spec["model"]
    return Rollout(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        release=Release(
            version=model["version"],
            revision=revision_of(spec),
            storage_uri=model["storageUri"],
            digest=model.get("digest"),
        ),
        spec=spec,
        command=command_of(metadata.get("annotations")),
    )


# ------------------------------------------------------------------------------------------------------ reading


def status_of(body: Mapping[str, Any]) -> Status:
    """What the operator remembers; an object without a status remembers nothing.

    A part that somebody has broken by hand is forgotten, and nothing else is: `unreadable` names it.
    """
    return _read(body)[0]


def unreadable(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts of the status that `status_of` forgot, each with what was expected there."""
    return tuple(_read(body)[1])


def _read(body: Mapping[str, Any]) -> tuple[Status, Sequence[str]]:
    value = Tolerant("status", body.get("status") or {})
    stable = value.one("stable", _arm_of)
    on_stable = Weights.all_on(stable.slot) if stable is not None else Weights()
    phase: Phase | None = value.get("phase", lambda name: value.fields.choice(name, Phase))
    findings = value.all("evidence", entries.finding_of)

    def beside_stable(fields: Fields) -> Arm:
        arm = _arm_of(fields)
        if stable is not None and arm.slot == stable.slot:
            raise UnreadableError(f"{fields.path}.slot: not {arm.slot} expected, where the stable version serves")
        return arm

    candidate = value.one("candidate", beside_stable)
    promoting: Promoting | None = value.get("promoting", lambda name: value.fields.choice(name, Promoting))
    status = Status(
        phase=phase or "Pending",
        generation=value.get("observedGeneration", value.fields.integer) or 0,
        stable=stable,
        candidate=candidate,
        previous=value.one("previous", beside_stable),
        leaving=value.one("leaving", beside_stable),
        # Of a candidate that was forgotten nothing is left for the one after it.
        promoting=promoting if candidate is not None else None,
        weights=value.one("weights", _weights_of) or on_stable,
        route=value.one("route", _followed_of),
        history=value.all("history", entries.record_of),
        conditions=value.all("conditions", _condition_of),
        analysis=value.one("analysis", lambda fields: _analysis_of(fields, findings)),
        decisions=value.all("decisions", entries.decision_of),
        rejected=value.all("rejected", entries.rejected_of),
        last_command=value.one("lastCommand", entries.last_command_of),
        paused_by=value.one("pausedBy", entries.command_of),
        approved=value.get("approved", value.fields.text),
        probation_until=value.get("probationUntil", value.fields.time),
    )
    return status, value.complaints


def _arm_of(value: Fields) -> Arm:
    slot: Slot = value.choice("slot", Slot)
    release = Release(
        version=value.text("version"),
        revision=value.text("revision"),
        storage_uri=value.text("storageUri"),
        digest=value.optional("digest", value.text),
    )
    return Arm(slot=slot, release=release, since=value.time("since"))


def _weights_of(value: Fields) -> Weights:
    weights = Weights(a=value.optional("a", value.integer) or 0, b=value.optional("b", value.integer) or 0)
    if weights.a + weights.b > _WHOLE:
        raise UnreadableError(f"{value.path}: at most {_WHOLE} % in sum expected, not {weights.a} and {weights.b}")
    return weights


def _followed_of(value: Fields) -> Followed:
    return Followed(generation=value.integer("observedGeneration"), since=value.time("since"))


def _condition_of(value: Fields) -> Condition:
    return Condition(
        type=value.text("type"),
        status=value.text("status") == "True",
        reason=value.text("reason"),
        message=value.text("message"),
        generation=value.integer("observedGeneration"),
        time=value.time("lastTransitionTime"),
    )


def _run_of(value: Fields) -> Run:
    waiting = value.optional("waiting", value.fields)
    return Run(
        begin=value.time("begin").timestamp(),
        end=value.time("end").timestamp(),
        waiting=NO_LOSSES if waiting is None else (_moments_of(waiting, "candidate"), _moments_of(waiting, "stable")),
    )


def _moments_of(value: Fields, name: str) -> Moments:
    moments = value.fields(name)
    return Moments(n=moments.number("n"), sum=moments.number("sum"), sumsq=moments.number("sumsq"))


def _analysis_of(value: Fields, findings: tuple[Finding, ...]) -> Analysis:
    held = value.optional("held", value.fields)
    return Analysis(
        began=value.time("began"),
        step=value.integer("step"),
        step_since=value.time("stepSince"),
        step_requests=value.number("stepRequests"),
        evidence_since=value.optional("evidenceSince", value.time),
        runs=tuple(_run_of(Fields.of(path, entry)) for path, entry in value.items("runs")),
        looked=value.optional("looked", value.time),
        experiment=value.optional("experiment", value.mapping),
        counters=value.optional("counters", value.mapping) or {},
        epoch=value.optional("epoch", value.text),
        cursor=value.optional("cursor", value.text) or "",
        threshold=value.optional("threshold", value.number),
        candidate_requests=value.number("candidateRequests"),
        candidate_failures=value.number("candidateFailures"),
        held=(held.text("reason"), held.text("message")) if held is not None else None,
        findings=findings,
    )


# ------------------------------------------------------------------------------------------------------ writing


def status_document(status: Status, required: Collection[str] = ALWAYS_REQUIRED) -> dict[str, Any]:
    """The status subresource; what is not known, or nobody has, is absent.

    Args:
        status: to be written; times lose their fractions of a second, and decisions the sentences of their findings.
        required: gates that must Pass before promotion, for the one verdict that `kubectl get` shows.
    """
    roles = {
        "stable": status.stable,
        "candidate": status.candidate,
        "previous": status.previous,
        "leaving": status.leaving,
    }
    analysis, last = status.analysis, status.last_command
    findings = analysis.findings if analysis is not None else ()
    return {
        "observedGeneration": status.generation,
        "phase": status.phase,
        **{role: _arm(arm, status.weights) for role, arm in roles.items() if arm is not None},
        **entries.known("promoting", status.promoting),
        "weights": {"a": status.weights.a, "b": status.weights.b},
        **entries.known("route", status.route and _followed(status.route)),
        # In probation nothing is to Pass any more.
        **entries.known("verdict", verdict_of(findings, required) if status.candidate is not None else None),
        **entries.known("analysis", analysis and _analysis(analysis)),
        "evidence": [entries.finding_document(finding) for finding in findings],
        "decisions": [entries.decision_document(decision) for decision in status.decisions],
        "rejected": [entries.rejected_document(rejected) for rejected in status.rejected],
        "history": [entries.record_document(record) for record in status.history],
        **entries.known("lastCommand", last and entries.last_command_document(last)),
        **entries.known("pausedBy", status.paused_by and entries.command_document(status.paused_by)),
        **entries.known("approved", status.approved),
        **entries.known("probationUntil", status.probation_until and entries.timestamp(status.probation_until)),
        "conditions": [_condition(condition) for condition in status.conditions],
    }


def required_by(rollout: Rollout) -> tuple[str, ...]:
    """The gates that must Pass before promotion, by the strategy as it is now."""
    return tuple(gate for gate, settings in strategy_of(rollout.spec).gates.items() if settings.required)


def verdict_of(findings: Sequence[Finding], required: Collection[str]) -> str | None:
    """The worst gate in a few words: what fails, else what is required and not known yet; None without evidence."""
    failing = [finding.gate for finding in findings if finding.verdict == "Fail"]
    if failing:
        return f"Fail: {', '.join(failing)}"
    open_ones = [item.gate for item in findings if item.verdict == "Insufficient" and item.gate in required]
    if open_ones:
        return f"Insufficient: {', '.join(open_ones)}"
    return "Pass" if findings else None


def _arm(arm: Arm, weights: Weights) -> dict[str, Any]:
    release = arm.release
    return {
        "slot": arm.slot,
        "version": release.version,
        "revision": release.revision,
        "storageUri": release.storage_uri,
        "since": entries.timestamp(arm.since),
        "weight": weights.of(arm.slot),
        **entries.known("digest", release.digest),
    }


def _followed(followed: Followed) -> dict[str, Any]:
    return {"observedGeneration": followed.generation, "since": entries.timestamp(followed.since)}


def _analysis(analysis: Analysis) -> dict[str, Any]:
    return {
        "began": entries.timestamp(analysis.began),
        "step": analysis.step,
        "stepSince": entries.timestamp(analysis.step_since),
        "stepRequests": float(analysis.step_requests),
        **entries.known("evidenceSince", analysis.evidence_since and entries.timestamp(analysis.evidence_since)),
        "runs": [_run(run) for run in analysis.runs],
        **entries.known("looked", analysis.looked and entries.timestamp(analysis.looked)),
        **entries.known("experiment", analysis.experiment),
        "counters": analysis.counters,
        **entries.known("epoch", analysis.epoch),
        "cursor": analysis.cursor,
        **entries.number("threshold", analysis.threshold),
        "candidateRequests": float(analysis.candidate_requests),
        "candidateFailures": float(analysis.candidate_failures),
        **entries.known("held", analysis.held and dict(zip(("reason", "message"), analysis.held, strict=True))),
    }


def _run(run: Run) -> dict[str, Any]:
    waiting = {role: vars(moments) for role, moments in zip(("candidate", "stable"), run.waiting, strict=True)}
    return {
        "begin": entries.timestamp(datetime.fromtimestamp(run.begin, UTC)),
        "end": entries.timestamp(datetime.fromtimestamp(run.end, UTC)),
        **entries.known("waiting", waiting if run.waiting != NO_LOSSES else None),
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": "True" if condition.status else "False",
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.generation,
        "lastTransitionTime": entries.timestamp(condition.time),
    }
