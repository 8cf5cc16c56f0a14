"""A model that is nothing but an ONNX file: it serves, and nobody claims to know whether what it sees has changed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from story import NAMESPACE, Story, eventually

from cluster.fetch import debian
from images.oci import modelcar_image

_MODEL, _VERSION = "plain", "1"
_HOSTNAME = f"{_MODEL}.leeway.internal"


@pytest.fixture
def plain(story: Story, bundle: Path, tmp_path: Path) -> Iterator[None]:
    """Version 1 of a model of one file, without a digest, served beside the flights."""
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(bundle / "model.onnx", folder)
    reference = "docker.io/leeway/model-plain:1"
    busybox = debian.unpack(["busybox-static"]) / "bin/busybox"
    modelcar_image(tmp_path / "image.tar", reference, folder, busybox=busybox)
    story.load(tmp_path / "image.tar")
    model = {"model": {"storageUri": f"oci://{reference}", "version": _VERSION}, "hostnames": [_HOSTNAME]}
    with story.installed({"models": {_MODEL: model}}):
        eventually(lambda: story.ready(_MODEL), seconds=120, what="the plain model")
        yield


@pytest.mark.usefixtures("plain")
def test_a_plain_onnx_file_serves_and_its_drift_is_insufficient_with_the_reason(
    story: Story, samples: list[dict[str, Any]]
) -> None:
    # A plain file does not say which of its numbers may be missing: the server then takes none that is.
    bodies = [sample["v2"] for sample in samples if None not in sample["instance"].values()]
    caller = story.caller(_HOSTNAME)

    def answers() -> bool:
        return caller.call(f"/v2/models/{_MODEL}/infer", bodies[0]).status == 200

    eventually(answers, seconds=30, what="an answer of the plain model")
    sent = [caller.call(f"/v2/models/{_MODEL}/infer", body) for body in bodies[:100]]
    caller.close()
    assert [answer.error for answer in sent if answer.status != 200] == []
    assert {answer.version for answer in sent} == {_VERSION}

    def told() -> dict[str, Any]:
        return story.detector(f"/v1/status/{NAMESPACE}/{_MODEL}/{_VERSION}") or {}

    eventually(lambda: told().get("profile", {}).get("state") == "absent", seconds=60, what="an absent profile")
    status = told()
    assert status["profile"]["reason"]
    assert status["detectors"]
    for detector in status["detectors"]:
        assert (detector["verdict"], detector["detected"]) == ("insufficient", False), detector
        assert detector["reason"], detector
