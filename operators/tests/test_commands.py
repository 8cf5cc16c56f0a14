"""Commands: what is read from the annotation, and what a verb would do."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_operators.core.commands import (
    ANNOTATION,
    VERBS,
    Meaning,
    Senseless,
    Verb,
    annotation_of,
    command_of,
    meaning,
)
from leeway_operators.core.model import Command, Phase, Status, UnreadableCommand
from tests.rollouts import BEGAN, arm, canary, command, rejected, release, rollout

PROMOTED = Status(phase="Stable", stable=arm("2", "b"), previous=arm("1", "a"))
ALONE = Status(phase="Stable", stable=arm("2", "b"))
PAUSED = canary(paused_by=command("pause"))


def text(**changes: Any) -> str:
    """The annotation's text, with some fields changed; None leaves one out."""
    value = json.loads(annotation_of(command("pause"))[ANNOTATION]) | changes
    return json.dumps({key: item for key, item in value.items() if item is not None})


@settings(max_examples=60, deadline=None)
@given(
    verb=st.sampled_from(VERBS),
    identity=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}", fullmatch=True),
    revision=st.none() | st.from_regex(r"[0-9a-f]{10}", fullmatch=True),
    by=st.text(min_size=1, max_size=253).filter(str.isprintable),
)
def test_a_command_that_is_written_is_the_one_that_is_read(verb: str, identity: str, revision: Any, by: str) -> None:
    written = Command(id=identity, verb=verb, revision=revision, by=by, at=BEGAN)
    assert command_of(annotation_of(written)) == written


def test_no_annotation_is_no_command() -> None:
    assert command_of(None) is None
    assert command_of({"meta.helm.sh/release-name": "leeway"}) is None


def awaiting(phase: Phase) -> Status:
    """Version 2 has passed, and waits for a person."""
    status = canary(phase=phase)
    assert status.analysis is not None
    return replace(status, analysis=replace(status.analysis, held=("AwaitingApproval", "errors, latency pass")))


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("pause", "JSON expected"),
        ('["pause"]', "a JSON object expected, not list"),
        ("[" * 2000, "a JSON object expected, not a nest of lists"),
        (text(verb="destroy"), "unknown verb 'destroy', one of pause, resume, promote"),
        (text(verb=None), "verb is missing"),
        (text(by=7), "by: 1 to 253 printable characters expected"),
        (text(by="mia\u0007"), "by: 1 to 253 printable characters expected"),
        (text(at="yesterday"), "at 'yesterday': a time such as"),
        (text(at="2026-01-31T12:00:00"), "a time with its zone expected"),
        (text(revision="latest"), "revision 'latest': ten hex digits expected"),
        (text(id="../../etc"), "id: at most 64 letters"),
        (text(force=True), "unknown field 'force'"),
        (text(by="x" * 3000), "at most 2048 expected"),
    ],
)
def test_a_command_that_cannot_be_read_says_which_field_and_what_was_expected(written: str, complaint: str) -> None:
    found = command_of({ANNOTATION: written})
    assert isinstance(found, UnreadableCommand)
    assert complaint in found.reason
    assert ANNOTATION in found.reason


def test_an_unreadable_command_has_one_id_so_that_it_is_refused_once() -> None:
    known = command_of({ANNOTATION: text(verb="destroy")})
    assert isinstance(known, UnreadableCommand)
    assert known.id == "c-1"
    texts = [command_of({ANNOTATION: written}) for written in ("one", "one", "two")]
    assert texts[0] == texts[1] != texts[2]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.recursive(st.none() | st.text(), st.lists, max_leaves=5).map(json.dumps))
def test_whatever_somebody_writes_is_read_or_refused(written: str) -> None:
    assert isinstance(command_of({ANNOTATION: written}), UnreadableCommand)


@pytest.mark.parametrize(
    ("verb", "status", "sentence", "version"),
    [
        ("pause", canary(), "keeps version 2 at 25 % of the traffic until resume", None),
        ("pause", ALONE, "holds back every new release until resume", None),
        ("resume", PAUSED, "ends the pause of mia@example.org", None),
        ("promote", canary(), "gives version 2 all traffic once it is verified, whatever the evidence says", "2"),
        ("abort", canary(), "takes all traffic back to version 1, and rejects version 2 until retry", "2"),
        ("approve", awaiting("AwaitingApproval"), "lets version 2 take all traffic", "2"),
        ("approve", awaiting("Paused"), "lets version 2 take all traffic", "2"),
        ("undo", PROMOTED, "takes all traffic back to version 1 at once, and rejects version 2", "2"),
        ("retry", rejected(), "forgets that version 2 was rejected, and releases it again from the start", "2"),
        (
            "restart",
            canary(),
            "replaces the pods of version 1 (slot a) and version 2 (slot b) one after the other",
            None,
        ),
    ],
)
def test_what_a_verb_would_do(verb: Verb, status: Status, sentence: str, version: str | None) -> None:
    meant = meaning(verb, rollout(), status)
    assert isinstance(meant, Meaning)
    assert sentence in meant.sentence
    assert meant.revision == (release(version).revision if version is not None else None)


@pytest.mark.parametrize(
    ("verb", "status", "reason"),
    [
        ("pause", PAUSED, "paused already, by mia@example.org"),
        ("resume", canary(), "no pause command holds it"),
        ("promote", ALONE, "no new version is coming up"),
        ("promote", PAUSED, "resume first"),
        ("abort", ALONE, "no new version is coming up"),
        ("abort", PROMOTED, "undo takes back what was promoted"),
        ("abort", canary(stable=None), "no version serves that version 2 could give way to"),
        ("approve", canary(), "nothing awaits approval, the phase is Canary"),
        ("approve", canary(approved=release("2").revision), "approved already"),
        ("undo", ALONE, "no previous version is warm"),
        ("undo", canary(), "abort takes its traffic back"),
        ("retry", canary(), "is not rejected"),
        ("restart", Status(), "no version serves yet"),
    ],
)
def test_a_verb_that_makes_no_sense_says_why(verb: Verb, status: Status, reason: str) -> None:
    found = meaning(verb, rollout(), status)
    assert isinstance(found, Senseless)
    assert reason in found.reason


def test_spec_paused_is_its_owners_to_change() -> None:
    wished = rollout()
    held = replace(wished, spec={**wished.spec, "paused": True})
    refused = [meaning(verb, held, canary()) for verb in ("resume", "promote")]
    assert all(isinstance(found, Senseless) and "spec.paused holds it" in found.reason for found in refused)
