import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leeway_drift.columns import Rows
from leeway_drift.labels.feedback import Label
from leeway_drift.labels.joins import Outcome
from leeway_drift.labels.privacy import Handling, Redaction
from leeway_drift.service.salt import read_salt
from leeway_drift.service.store.reading import Selection, records
from tests.labelling import MANIFEST, SALT, column, logged, prediction

SECRET = "Q7-secret-passenger"  # noqa: S105 - nobody's


def manifest(entity_key: str | None = None, **privacy: str) -> dict[str, Any]:
    """The flights manifest with its inputs' privacy changed."""
    inputs = [
        {**declared, **({"privacy": privacy[declared["name"]]} if declared["name"] in privacy else {})}
        for declared in MANIFEST["inputs"]
    ]
    extra = {
        "name": "passenger",
        "kind": "categorical",
        "categories": ["x"],
        "privacy": privacy.get("passenger", "keep"),
    }
    return {**MANIFEST, "inputs": [*inputs, extra], "entity_key": entity_key}


def passenger(event_id: str = "e1", who: str = SECRET, **changed: Any):
    features = Rows.of({"dep_delay": column(7.5), "carrier": column("UA"), "passenger": column(who)}, 1)
    return prediction(event_id, features=features, **changed)


def inputs_of(folder: Path, document: dict[str, Any] | None) -> dict[str, Any] | None:
    with logged(folder) as under_test:
        under_test.keep(passenger(), manifest=document)
        [[row]] = records(under_test.log.database, Selection())
    return row["inputs"]


@pytest.mark.parametrize("privacy", ["hash", "bin", "drop", "a rule of tomorrow"])
def test_what_may_not_be_kept_is_nowhere_in_the_data_folder(tmp_path: Path, privacy: str):
    inputs_of(tmp_path, manifest("passenger", passenger=privacy))
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert files
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


def test_without_a_manifest_no_input_is_kept(tmp_path: Path):
    assert inputs_of(tmp_path, None) is None


@pytest.mark.parametrize("document", [{}, {"inputs": 7}, {"inputs": [7]}, {"inputs": [{"privacy": "keep"}]}])
def test_with_a_manifest_that_cannot_be_read_no_input_is_kept(tmp_path: Path, document: dict):
    assert inputs_of(tmp_path, document) is None


def test_each_rule_leaves_what_it_says(tmp_path: Path):
    kept = inputs_of(tmp_path, manifest(dep_delay="keep", carrier="bin", passenger="hash"))
    assert kept is not None
    assert kept["dep_delay"] == 7.5
    assert kept["carrier"] == "UA"  # a category that the manifest publishes
    assert len(kept["passenger"]) == 32


def redaction(name: str, privacy: str, edges: list[float] | None = None, salt: bytes = SALT) -> Redaction:
    handling = Handling.of({"inputs": [{"name": name, "privacy": privacy}]})
    bins = {} if edges is None else {name: np.array(edges, dtype=np.float32)}
    return Redaction(handling, bins, salt)


@pytest.mark.parametrize(
    ("value", "label"),
    [(-1.0, "[-inf, 0.0)"), (0.0, "[0.0, 2.5)"), (2.5, "[2.5, inf)"), (math.inf, "[2.5, inf)"), (math.nan, None)],
)
def test_a_number_is_kept_as_its_bin_of_the_profile(value: float, label: str | None):
    rows = Rows.of({"age": column(value)}, 1)
    assert redaction("age", "bin", [0.0, 2.5]).inputs(rows) == [{"age": label}]


def test_a_number_to_be_binned_is_dropped_while_no_profile_is_known():
    assert redaction("age", "bin").inputs(Rows.of({"age": column(4.0)}, 1)) == [{}]


def test_a_category_that_nobody_published_is_not_kept_by_its_bin():
    assert redaction("city", "bin").inputs(Rows.of({"city": column("X")}, 1)) == [{"city": "(not listed)"}]


def test_a_hash_tells_equal_from_unequal_and_nothing_without_its_salt():
    rows = Rows.of({"age": column(7.0, 7.0, 8.0, math.nan)}, 4)
    first, same, other, missing = (row["age"] for row in redaction("age", "hash").inputs(rows))
    assert first == same != other
    assert missing is None
    [elsewhere, *_] = redaction("age", "hash", salt=SALT[::-1]).inputs(rows)
    assert elsewhere["age"] != first
    [renamed, *_] = redaction("years", "hash").inputs(Rows.of({"years": column(7.0)}, 1))
    assert renamed["years"] != first


@pytest.mark.parametrize("privacy", ["keep", "hash"])
def test_a_label_finds_its_prediction_by_the_entity(tmp_path: Path, privacy: str):
    with logged(tmp_path) as under_test:
        document = manifest("passenger", passenger=privacy)
        under_test.keep(passenger("e1"), passenger("e2", who="somebody else"), manifest=document)
        [known] = under_test.log.feedback([Label("flights", None, None, SECRET, 0, 1.0, None)])
        [unknown] = under_test.log.feedback([Label("flights", None, None, "nobody", 0, 1.0, None)])
    assert [found.event_id for found in known.predictions] == ["e1"]
    assert (known.outcome, unknown.outcome) == (Outcome.ACCEPTED, Outcome.UNKNOWN)


def test_an_entity_that_is_dropped_finds_nothing(tmp_path: Path):
    with logged(tmp_path) as under_test:
        under_test.keep(passenger(), manifest=manifest("passenger", passenger="drop"))
        [decision] = under_test.log.feedback([Label("flights", None, None, SECRET, 0, 1.0, None)])
    assert decision.outcome is Outcome.UNKNOWN


def test_the_salt_stays_the_same_and_is_readable_by_its_owner_alone(tmp_path: Path):
    salt = read_salt(tmp_path)
    assert read_salt(tmp_path) == salt
    assert (tmp_path / "salt").stat().st_mode & 0o777 == 0o600
    (tmp_path / "salt").write_bytes(b"short")
    with pytest.raises(ValueError, match="5 bytes, expected 32"):
        read_salt(tmp_path)
