"""The record of a rollout, for machines and for people."""

import json
from dataclasses import replace
from pathlib import Path

from leeway_operators.core import records
from leeway_operators.core.model import Decision
from tests.rollouts import ERRORS, LABELS, LATENCY, PROMOTED_ON_PROBATION, at, canary, rolled_back, rollout
from tests.world import NAME, NAMESPACE

GOLDEN = Path(__file__).parent / "golden/people"


def test_the_record_of_a_rollout_that_was_rolled_back() -> None:
    made = records.config_map(rollout(), *rolled_back())
    assert made["data"]["record.json"] == (GOLDEN / "record.json").read_text()
    assert made["data"]["record.md"] == (GOLDEN / "record.md").read_text()


def test_the_record_goes_when_its_model_does() -> None:
    metadata = records.config_map(rollout(), *rolled_back())["metadata"]
    assert (metadata["name"], metadata["namespace"]) == (f"{NAME}-rollout-7", NAMESPACE)
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("ModelRollout", NAME)
    assert metadata["labels"]["leeway.dev/model"] == NAME


def test_a_rollout_under_way_has_a_record_without_an_end() -> None:
    record = records.document(rollout(), canary(LATENCY), None)
    assert "outcome" not in record
    assert record["phase"] == "Canary"
    assert (record["candidate"]["version"], record["stable"]["version"]) == ("2", "1")
    assert record["evidence"][0]["reason"] == LATENCY.reason
    assert records.markdown(record).startswith("# flights: version 2 under way, Canary\n")


def test_a_version_found_worse_in_probation_was_compared_with_the_one_before() -> None:
    status, record = PROMOTED_ON_PROBATION
    made = records.document(rollout(), status, record)
    assert (made["candidate"]["version"], made["stable"]["version"]) == ("2", "1")


def test_a_first_release_was_compared_with_nothing() -> None:
    made = records.document(rollout(), canary(stable=None, analysis=None), None)
    assert "stable" not in made
    assert "stable" not in records.markdown(made).split("##")[0].split("| candidate |")[1]


def test_nothing_under_way_is_said() -> None:
    made = records.document(rollout(), canary(candidate=None, analysis=None, decisions=()), None)
    assert records.title(made) == "flights: no release under way"
    assert "Decisions" not in records.markdown(made)


def test_a_sentence_cannot_break_the_table_it_stands_in() -> None:
    odd = Decision(time=at(0), what="CommandDone", weight=0, why="pause by a|b: one\ntwo")
    made = records.markdown(records.document(rollout(), canary(decisions=(odd,)), None))
    assert "pause by a\\|b: one two |" in made


def test_a_record_of_fifty_decisions_fits_a_config_map() -> None:
    status, record = rolled_back()
    many = replace(status.decisions[-1], findings=(ERRORS, LATENCY, LABELS) * 3, why="x" * 500)
    made = records.config_map(rollout(), replace(status, decisions=(many,) * 50), record)
    assert len(json.dumps(made)) < 1_000_000
