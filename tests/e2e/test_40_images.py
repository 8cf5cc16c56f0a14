"""The training image, as anyone would run it: no root, nothing writable but /tmp, and the same bundle as here."""

import json
from pathlib import Path

from story import Story

from cluster import demo
from images.build import build, bundle_identity

_NAME = "train"
_DEFAULT = "--namespace=default"


def test_the_training_image_makes_the_same_bundle_as_this_machine(story: Story, bundle: Path) -> None:
    image = build("training")
    story.load(image.archive)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _NAME, "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "containers": [
                {
                    "name": _NAME,
                    "image": image.reference,
                    "args": ["--version", demo.VERSION, "--output", "/tmp/bundle"],  # noqa: S108 - in the container
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the container
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
    story.kube.kubectl("create", "--filename=-", stdin=json.dumps(pod))
    try:
        story.kube.kubectl(
            "wait", f"pod/{_NAME}", _DEFAULT, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=300s"
        )
        log = story.kube.kubectl("logs", _NAME, _DEFAULT)
    finally:
        story.kube.kubectl("delete", "pod", _NAME, _DEFAULT, "--wait=false")

    # Progress and result come on two streams, whose lines the log mixes in any order.
    assert [line for line in log.splitlines() if line.startswith("sha256:")] == [bundle_identity(bundle)[1]]
