"""What is served is what was released, or nothing."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from leeway_serving.bundle import parse_manifest
from leeway_serving.errors import ModelError
from leeway_serving.loading import Told, load

Reseal = Callable[..., str]


def loaded(directory: Path, **told: str) -> Any:
    return load(directory, name="flights", told=Told(**told), max_rows=100)


def test_the_digest_is_that_of_the_manifests_canonical_json(bundle: Path, reseal: Reseal) -> None:
    digest = reseal(bundle)
    assert loaded(bundle, digest=digest, version="1.0.0").digest == digest
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(dict(reversed(manifest.items()))))  # other bytes, equal content
    assert loaded(bundle, digest=digest).digest == digest


def test_a_link_to_the_bundle_is_followed(bundle: Path, tmp_path: Path) -> None:
    link = tmp_path / "mnt" / "models"
    link.parent.mkdir()
    link.symlink_to(bundle)
    assert loaded(link).version == "1.0.0"


def spoil_digest(_bundle: Path) -> dict[str, str]:
    return {"digest": "sha256:" + "0" * 64}


def spoil_version(_bundle: Path) -> dict[str, str]:
    return {"version": "2.0.0"}


def change_a_byte(bundle: Path) -> None:
    content = bytearray((bundle / "model.onnx").read_bytes())
    content[-1] ^= 1
    (bundle / "model.onnx").write_bytes(content)


def lengthen(bundle: Path) -> None:
    with (bundle / "model.onnx").open("ab") as file:
        file.write(b"\0")


def remove(bundle: Path) -> None:
    (bundle / "MODEL_CARD.md").unlink()


def add(bundle: Path) -> None:
    (bundle / "extra").mkdir()
    (bundle / "extra" / "weights.bin").write_bytes(b"1")


def link_out(bundle: Path) -> None:
    outside = bundle.parent / "outside.md"
    (bundle / "MODEL_CARD.md").rename(outside)
    (bundle / "MODEL_CARD.md").symlink_to(outside)


def pipe(bundle: Path) -> None:
    (bundle / "MODEL_CARD.md").unlink()
    os.mkfifo(bundle / "MODEL_CARD.md")


def no_manifest(bundle: Path) -> dict[str, str]:
    (bundle / "manifest.json").unlink()
    return {"digest": "sha256:" + "0" * 64}


def cut_manifest(bundle: Path) -> None:
    (bundle / "manifest.json").write_text((bundle / "manifest.json").read_text()[:-5])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_digest, "the bundle's digest is sha256:[0-9a-f]{64}; sha256:0{64} was to be served"),
        (spoil_version, "the bundle's version is 1.0.0; 2.0.0 was to be served"),
        (change_a_byte, "model.onnx has SHA-256 .*; the manifest says"),
        (lengthen, "model.onnx has [0-9]+ bytes; the manifest says"),
        (remove, "MODEL_CARD.md is missing"),
        (add, "extra/weights.bin is not in the manifest"),
        (link_out, "MODEL_CARD.md is a link"),
        (pipe, "MODEL_CARD.md is no plain file"),
        (no_manifest, "the directory has no manifest.json"),
        (cut_manifest, "manifest.json is not JSON"),
    ],
)
def test_a_bundle_that_is_not_what_it_says_is_refused(
    bundle: Path, spoil: Callable[[Path], dict[str, str] | None], reason: str
) -> None:
    told = spoil(bundle) or {}
    with pytest.raises(ModelError, match=reason):
        loaded(bundle, **told)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema_version": 2}, "schema_version 1 was expected"),
        ({"version": "1\r\nx: y"}, "does not match"),
        ({"task": "clustering"}, "task 'clustering' is none of"),
        ({"outputs": [{"name": "label"}]}, "not as the schema says: KeyError"),
        ({"inputs": [{"name": "delay", "kind": "numeric", "dtype": "BYTES"}]}, "expected: numeric FP32"),
        (
            {"inputs": [{"name": "delay", "kind": "numeric", "dtype": "FP32", "nullable": False}]},
            r"inputs of the manifest and of the graph differ in .*'carrier'",
        ),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    bundle: Path, reseal: Reseal, changes: dict[str, Any], reason: str
) -> None:
    reseal(bundle, **changes)
    with pytest.raises(ModelError, match=reason):
        loaded(bundle)


def change_golden(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    golden = json.loads((bundle / "golden.json").read_text())
    change(golden)
    (bundle / "golden.json").write_text(json.dumps(golden))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda g: g["cases"].pop(), "golden.json has 15 cases; at least 16"),
        (lambda g: g.pop("tolerance"), "golden.json is not as its schema says"),
        (
            lambda g: g["cases"][3]["expected"]["outputs"][1]["data"].__setitem__(0, 0.123),
            "golden case 3, output 'probabilities': answered .*; 0.123 ± 1e-05 was expected",
        ),
        (
            lambda g: g["cases"][2]["request"]["inputs"][0]["data"].__setitem__(0, "late"),
            "golden case 2 is refused: row 0, input 'delay'",
        ),
        (
            lambda g: g["cases"][0]["expected"]["outputs"][0].__setitem__("name", "odds"),
            "golden case 0 expects outputs that the model has not: odds",
        ),
    ],
)
def test_a_model_that_answers_its_golden_requests_otherwise_is_refused(
    bundle: Path, reseal: Reseal, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    change_golden(bundle, change)
    reseal(bundle)
    with pytest.raises(ModelError, match=reason):
        loaded(bundle)


def test_a_model_that_answers_is_the_graph_that_was_sealed(bundle: Path) -> None:
    served = loaded(bundle)
    case = json.loads((bundle / "golden.json").read_text())["cases"][0]
    data = {t["name"]: t["data"] for t in case["request"]["inputs"]}
    tensors = {
        "delay": np.array([data["delay"]], np.float32).T,
        "wind": np.array([data["wind"]], np.float32).T,
        "carrier": np.array([data["carrier"]], object).T,
    }
    answer = served.model.predict(tensors, ("probabilities",))["probabilities"].ravel()
    np.testing.assert_allclose(answer, case["expected"]["outputs"][1]["data"], atol=1e-6)


SCHEMAS = Path(__file__).parents[3] / "schemas"


@pytest.mark.parametrize("name", ["manifest", "golden"])
def test_the_bundle_of_these_tests_is_one_that_training_could_write(sealed: Path, name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads((sealed / f"{name}.json").read_text()))


def test_the_example_manifest_is_understood() -> None:
    example = (SCHEMAS / "examples" / "manifest.json").read_bytes()
    names = [entry["name"] for entry in json.loads(example)["inputs"]]
    assert [spec.name for spec in parse_manifest(example).inputs] == names
