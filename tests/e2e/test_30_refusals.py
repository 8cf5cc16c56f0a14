"""What must never happen: a broken bundle that serves, a restart that is silently reverted."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from story import MODEL, NAMESPACE, Story, eventually, traffic

from cluster import demo
from cluster.fetch import debian
from cluster.shell import CommandFailedError
from images.oci import modelcar_image


def _change_one_byte(bundle: Path) -> None:
    model = bundle / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)


def _change_file_and_manifest_together(bundle: Path) -> None:
    _change_one_byte(bundle)
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    content = (bundle / "model.onnx").read_bytes()
    manifest["files"]["model.onnx"] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("tamper", [_change_one_byte, _change_file_and_manifest_together])
def test_a_broken_bundle_never_serves_and_the_status_says_why(
    story: Story, second: demo.ModelImage, samples: list[dict[str, Any]], tmp_path: Path, tamper: Any
) -> None:
    broken = tmp_path / "bundle"
    shutil.copytree(demo.train("1.1.0", ["model.params.C=0.01"]), broken)
    tamper(broken)
    reference = f"docker.io/leeway/model-{MODEL}:{tamper.__name__.strip('_').replace('_', '-')}"
    busybox = debian.unpack(["busybox-static"]) / "bin/busybox"
    modelcar_image(tmp_path / "image.tar", reference, broken, busybox=busybox)
    story.load(tmp_path / "image.tar")
    stable = story.stable_version()

    with traffic(story, [sample["v2"] for sample in samples], callers=2) as answers:
        story.upgrade(storageUri=f"oci://{reference}", version=second.version, digest=second.digest)
        eventually(
            lambda: story.condition("Degraded").get("status") == "True", seconds=180, what="the condition Degraded"
        )
        degraded, ready = story.condition("Degraded"), story.condition("Ready")
        story.upgrade()
        eventually(
            lambda: story.condition("Degraded").get("status") == "False", seconds=120, what="the end of Degraded"
        )

    assert ready["status"] == "True"
    assert "model.onnx" in degraded["message"] or "digest" in degraded["message"]
    assert {answer.version for answer in answers} == {stable}
    assert [answer.error for answer in answers if answer.status != 200] == []


def test_kubectl_rollout_restart_is_refused_with_our_message(story: Story) -> None:
    slot = story.rollout()["status"]["stable"]["slot"]

    with pytest.raises(CommandFailedError, match=r"ModelRollout"):
        story.kube.kubectl("rollout", "restart", f"deployment/{MODEL}-{slot}-predictor", f"--namespace={NAMESPACE}")
