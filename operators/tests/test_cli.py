"""What people read, and what they may ask for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leeway_operators.cli.main import arguments, run
from leeway_operators.cli.session import Session
from leeway_operators.cli.table import row
from leeway_operators.core import records
from leeway_operators.core.commands import ANNOTATION, annotation_of, command_of
from leeway_operators.core.documents import status_document
from leeway_operators.core.model import Command, Condition, Status
from tests.rollouts import (
    ERRORS,
    LABELS,
    LATENCY,
    NOW,
    answered,
    arm,
    at,
    body,
    canary,
    command,
    rejected,
    release,
    rolled_back,
    rollout,
)
from tests.world import NAME, NAMESPACE

GOLDEN = Path(__file__).parent / "golden/people"
Operator = Callable[["FakeCluster", Command], None]


def executes(cluster: "FakeCluster", asked: Command) -> None:
    """An operator that does what it is told."""
    cluster.remember(replace(cluster.status, last_command=answered(asked)))


def refuses(cluster: "FakeCluster", asked: Command) -> None:
    """An operator that knows better."""
    cluster.remember(replace(cluster.status, last_command=answered(asked, "Refused", "releases are frozen: holidays")))


@dataclass
class FakeCluster:
    """One ModelRollout, records, and an operator that looks whenever somebody waits; the clock runs while they do."""

    status: Status
    operator: Operator | None = executes
    changes_between: int = 0
    """How often somebody else writes between a look and a command."""
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    now: datetime = NOW
    said: list[str] = field(default_factory=list)
    object: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        """Make the object."""
        self.object = body(self.status)

    def remember(self, status: Status) -> None:
        """The operator writes its status."""
        self.status = status
        self.object["status"] = status_document(status)

    def rollout(self, namespace: str, name: str) -> dict[str, Any] | None:
        """See `Cluster.rollout`."""
        return json.loads(json.dumps(self.object)) if (namespace, name) == (NAMESPACE, NAME) else None

    def rollouts(self, namespace: str | None) -> list[dict[str, Any]]:
        """See `Cluster.rollouts`."""
        return [self.object] if namespace in (None, NAMESPACE) else []

    def record(self, namespace: str, name: str) -> dict[str, str] | None:
        """See `Cluster.record`."""
        assert namespace == NAMESPACE
        return self.records.get(name)

    def annotate(self, body: Mapping[str, Any], annotations: Mapping[str, str]) -> bool:
        """See `Cluster.annotate`."""
        if self.changes_between > 0:
            self.changes_between -= 1
            self.object["metadata"]["resourceVersion"] += "1"
        if body["metadata"]["resourceVersion"] != self.object["metadata"]["resourceVersion"]:
            return False
        self.object["metadata"].setdefault("annotations", {}).update(annotations)
        return True

    def user(self) -> str:
        """See `Cluster.user`."""
        return "mia@example.org"

    def sleep(self, seconds: float) -> None:
        """Time passes, and the operator looks."""
        self.now += timedelta(seconds=seconds)
        asked = command_of(self.object["metadata"].get("annotations"))
        if self.operator is not None and isinstance(asked, Command):
            self.operator(self, asked)

    @property
    def asked(self) -> Command | None:
        """The command in the annotation."""
        found = command_of(self.object["metadata"].get("annotations"))
        assert found is None or isinstance(found, Command)
        return found

    def leeway(self, *words: str) -> int:
        """Run `kubectl leeway`; its exit code."""
        session = Session(
            cluster=self,
            namespace=NAMESPACE,
            now=lambda: self.now,
            sleep=self.sleep,
            say=self.said.append,
            identity=lambda: "c-9",
        )
        return run(arguments().parse_args(words), session)

    @property
    def output(self) -> str:
        """Everything that was printed."""
        return "\n".join(self.said) + "\n"


def recorded() -> FakeCluster:
    """A cluster where version 2 was rolled back, with its record."""
    made = records.config_map(rollout(), *rolled_back())
    return FakeCluster(rejected(), records={made["metadata"]["name"]: made["data"]})


# ------------------------------------------------------------------------------------------------------- status


def test_all_models_as_a_table() -> None:
    cluster = FakeCluster(canary(ERRORS, LATENCY))
    assert cluster.leeway("status") == 0
    header, line = cluster.output.splitlines()
    assert " ".join(header.split()) == "MODEL STABLE SLOT CANDIDATE WEIGHTS PHASE VERDICT READY MESSAGE"
    assert line.split()[:8] == [NAME, "1", "a", "2", "a=75", "b=25", "Canary", "Fail:"]


def test_one_model_with_its_evidence() -> None:
    cluster = FakeCluster(canary(ERRORS, LATENCY, LABELS, last_command=answered(command("resume"))))
    assert cluster.leeway("status", NAME) == 0
    assert cluster.output == (GOLDEN / "status.txt").read_text()


def test_in_probation_no_step_is_under_way_and_no_deadline() -> None:
    promoted = {"stable": arm("2", "b"), "candidate": None, "previous": arm("1", "a"), "probation_until": at(6000)}
    cluster = FakeCluster(canary(ERRORS, LATENCY, phase="Stable", **promoted))
    cluster.leeway("status", NAME)
    first_words = {line.split()[0] for line in cluster.said if line.strip()}
    assert {"probation", "counted", "evidence"} <= first_words
    assert not {"step", "deadline"} & first_words
    assert "at this rate" not in cluster.output


def test_an_interval_beyond_the_picture_ends_in_an_arrow() -> None:
    far = replace(ERRORS, lower=-0.5, estimate=0.5, upper=0.9)
    cluster = FakeCluster(canary(far))
    cluster.leeway("status", NAME)
    drawn = next(line for line in cluster.said if "◀" in line)
    assert "▶" in drawn
    assert "●" not in drawn


def test_plots_fit_a_terminal() -> None:
    cluster = FakeCluster(canary(ERRORS, LATENCY, LABELS))
    cluster.leeway("status", NAME)
    assert max(len(line) for line in cluster.said if "┊" in line or "GATE" in line) <= 80


def test_what_holds_a_release_is_said() -> None:
    held = canary(phase="Held", paused_by=command("pause"))
    assert held.analysis is not None
    held = replace(held, analysis=replace(held.analysis, held=("EvidenceMissing", "Prometheus does not answer")))
    cluster = FakeCluster(held)
    cluster.leeway("status", NAME)
    assert "  held       EvidenceMissing: Prometheus does not answer" in cluster.said
    assert "  paused     by mia@example.org, 5 min ago" in cluster.said


def test_a_rejected_release_that_the_spec_still_names_is_said() -> None:
    cluster = FakeCluster(rejected())
    cluster.leeway("status", NAME)
    assert "  rejected   version 2 (Errors), 0 s ago; retry tries it again" in cluster.said


def test_a_status_that_was_edited_by_hand_is_shown_as_far_as_it_goes() -> None:
    cluster = FakeCluster(canary(LATENCY))
    cluster.object["status"]["candidate"]["slot"] = "c"
    assert cluster.leeway("status", NAME) == 0
    assert "  status     status.candidate.slot: one of a, b expected, not 'c'; forgotten" in cluster.said


def test_what_is_wrong_comes_before_what_is_under_way_and_that_before_what_serves() -> None:
    def conditions(**reasons: tuple[bool, str]) -> tuple[Condition, ...]:
        return tuple(
            Condition(type=kind, status=true, reason=reason, message=f"{kind} says so", generation=1, time=NOW)
            for kind, (true, reason) in reasons.items()
        )

    def message(**reasons: tuple[bool, str]) -> str:
        return row(body(replace(canary(), conditions=conditions(**reasons))))[-1]

    finished, moving, held = (False, "Finished"), (True, "PodsPending"), (False, "Paused")
    serving, silent, failed = (True, "Serving"), (False, "RoutePending"), (True, "ModelRefused")
    fine = (False, "AsExpected")
    assert message(Ready=serving, Progressing=moving, Degraded=failed) == "Degraded says so"
    assert message(Ready=silent, Progressing=moving, Degraded=fine) == "Ready says so"
    assert message(Ready=serving, Progressing=moving, Degraded=fine) == "Progressing says so"
    assert message(Ready=serving, Progressing=held, Degraded=fine) == "Progressing says so"
    assert message(Ready=serving, Progressing=finished, Degraded=fine) == "Ready says so"


def test_a_rollout_that_nobody_has_seen_yet() -> None:
    assert row(body(None))[6:] == ("Pending", "-", "Unknown", "the operator has not seen it yet")


@pytest.mark.parametrize("words", [("status", "ships"), ("why", "ships"), ("pause", "ships")])
def test_a_model_that_is_not_there(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert FakeCluster(canary()).leeway(*words) == 1
    assert capsys.readouterr().err == "no ModelRollout named ships found in namespace models\n"


def test_a_namespace_and_all_namespaces_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments().parse_args(["status", "-n", "x", "-A"])
    assert "not allowed with" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------- history, why


def test_how_the_last_rollouts_ended() -> None:
    cluster = recorded()
    cluster.now = at(600) + timedelta(hours=3)
    assert cluster.leeway("history", NAME) == 0
    assert [line.split() for line in cluster.output.splitlines()] == [
        ["NUMBER", "VERSION", "REVISION", "OUTCOME", "REASON", "ENDED"],
        ["7", "2", release("2").revision, "RolledBack", "Errors", "3", "h", "ago"],
    ]


def test_no_rollout_has_ended_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert FakeCluster(canary()).leeway("history") == 1
    assert "no rollout of flights has ended yet" in capsys.readouterr().err


def test_why_it_was_rolled_back() -> None:
    cluster = recorded()
    assert cluster.leeway("why") == 0
    assert cluster.output == (GOLDEN / "why.txt").read_text()


def test_why_for_machines_and_for_a_page() -> None:
    cluster = recorded()
    assert cluster.leeway("why", NAME, "--number", "7", "-o", "json") == 0
    assert json.loads(cluster.output) == json.loads((GOLDEN / "record.json").read_text())
    cluster.said.clear()
    assert cluster.leeway("why", NAME, "-o", "markdown") == 0
    assert cluster.output == (GOLDEN / "record.md").read_text()


def test_why_of_a_rollout_under_way() -> None:
    cluster = FakeCluster(canary(LATENCY))
    assert cluster.leeway("why", NAME) == 0
    assert cluster.said[0] == "flights: version 2 under way, Canary"
    assert any("no harm in what this step saw" in line for line in cluster.said)


def test_a_record_that_is_not_kept_any_more(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = recorded()
    assert cluster.leeway("why", NAME, "--number", "3") == 1
    assert capsys.readouterr().err == "flights has no finished rollout 3; the last ones: 7\n"
    cluster.records.clear()
    assert cluster.leeway("why", NAME) == 1
    assert "ConfigMap models/flights-rollout-7 is gone; status.history says: version 2 RolledBack (Errors)" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("data", [{}, {"record.json": "<html>"}, {"record.json": "[]"}, {"record.json": "{}"}])
def test_a_record_that_somebody_edited(data: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    cluster = recorded()
    cluster.records["flights-rollout-7"] = data
    assert cluster.leeway("why", NAME) == 1
    assert "ConfigMap models/flights-rollout-7: record.json holds no record" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------ commands


def test_a_command_says_what_it_means_and_what_became_of_it() -> None:
    cluster = FakeCluster(canary())
    assert cluster.leeway("abort", NAME) == 0
    assert cluster.said == [
        "flights: abort takes all traffic back to version 1, and rejects version 2 until retry",
        "flights: done",
    ]
    assert cluster.asked == Command(
        id="c-9", verb="abort", revision=release("2").revision, by="mia@example.org", at=NOW
    )


def test_a_command_that_makes_no_sense_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster(canary())
    assert cluster.leeway("undo", NAME) == 3
    assert "cannot undo flights: version 2 is coming up" in capsys.readouterr().err
    assert cluster.asked is None


def test_a_command_is_for_what_was_seen_and_not_for_what_has_become_of_it() -> None:
    cluster = FakeCluster(canary(), changes_between=2)
    assert cluster.leeway("pause", NAME) == 0
    assert cluster.said[-1] == "flights: done"


def test_a_rollout_that_never_holds_still(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster(canary(), changes_between=99)
    assert cluster.leeway("pause", NAME) == 1
    assert "changed 5 times" in capsys.readouterr().err
    assert cluster.asked is None


def test_a_command_that_the_operator_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert FakeCluster(canary(), operator=refuses).leeway("promote", NAME) == 3
    assert capsys.readouterr().err == "the operator refused to promote flights: releases are frozen: holidays\n"


def test_an_operator_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster(canary(), operator=None)
    assert cluster.leeway("pause", NAME, "--timeout", "10s") == 4
    assert "has not executed pause within 10 s; it will when it runs" in capsys.readouterr().err
    assert timedelta(seconds=10) <= cluster.now - NOW < timedelta(seconds=12)


def test_a_command_that_was_replaced_before_it_was_executed(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupts(cluster: FakeCluster, _: Command) -> None:
        cluster.object["metadata"]["annotations"] |= annotation_of(command("abort", "c-10"))

    assert FakeCluster(canary(), operator=interrupts).leeway("pause", NAME) == 3
    assert "another command has replaced pause" in capsys.readouterr().err


def test_a_command_that_waits_for_a_dead_operator_does_not_keep_the_next_one_out() -> None:
    cluster = FakeCluster(canary())
    cluster.object["metadata"]["annotations"] = annotation_of(command("pause"))
    assert cluster.leeway("abort", NAME) == 0
    assert cluster.said[0] == "flights: replaces pause by mia@example.org, which was not executed yet"


def test_a_command_writes_nothing_but_its_annotation() -> None:
    cluster = FakeCluster(canary(), operator=None)
    before = json.loads(json.dumps(cluster.object))
    cluster.leeway("pause", NAME, "--timeout", "1s")
    assert set(cluster.object["metadata"].pop("annotations")) == {ANNOTATION}
    assert cluster.object == before


def test_a_timeout_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments().parse_args(["pause", NAME, "--timeout", "soon"])
    assert "duration 'soon': expected numbers with h, m, s or ms" in capsys.readouterr().err
