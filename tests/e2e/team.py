"""A team's own release of the chart: models alone, in a namespace of their own."""

from collections.abc import Mapping
from typing import Any

import yaml
from releases import Model
from story import NAMESPACE, Story

from cluster import demo, up
from rollouts.manifests import Manifest

TEAM = "team"
ADMITTED: Mapping[str, Any] = {"gateway": {"allowedNamespaces": [TEAM]}}
"""Values of the platform that let the team's models have its gateway."""


class Team:
    """One model, `team`, of the Helm release `team`."""

    def __init__(self, story: Story, strategy: Mapping[str, Any]) -> None:
        self._story, self._strategy = story, strategy

    def upgrade(self, image: demo.ModelImage) -> None:
        """`helm upgrade` with this version of the model."""
        values = yaml.safe_dump(self._values(image))
        arguments = ("upgrade", "--install", TEAM, up.CHART, "--create-namespace", "--values", "-")
        self._story.helm(*arguments, namespace=TEAM, stdin=values)

    def rollback(self, revision: int) -> None:
        """`helm rollback` to a revision of the release."""
        self._story.helm("rollback", TEAM, str(revision), namespace=TEAM)

    def sync(self) -> None:
        """Apply the release's ModelRollout as a GitOps controller would: by another field manager, without force."""
        rendered = yaml.safe_load_all(self._story.helm("get", "manifest", TEAM, namespace=TEAM))
        (rollout,) = (one for one in rendered if one["kind"] == "ModelRollout")
        apply = ("apply", "--server-side", "--field-manager=argocd", f"--namespace={TEAM}", "--filename=-")
        self._story.kube.kubectl(*apply, stdin=yaml.safe_dump(rollout))

    def remove(self) -> None:
        self._story.helm("uninstall", TEAM, "--ignore-not-found", namespace=TEAM)
        self._story.kube.kubectl("delete", "namespace", TEAM, "--ignore-not-found", "--wait=false")

    def _values(self, image: demo.ModelImage) -> Manifest:
        model = {
            "model": image.values(),
            "hostnames": [f"{TEAM}.leeway.internal"],
            "capture": {"mode": "direct"},
            "autoscaling": {"maxReplicas": 1},
            "strategy": dict(self._strategy),
        }
        return {
            "operator": {"enabled": False},
            "crds": {"install": False},
            "driftDetector": {"enabled": False},
            "gateway": {"create": False, "parentRef": {"name": demo.RELEASE, "namespace": NAMESPACE}},
            "networkPolicy": {"platformNamespace": NAMESPACE},
            "monitoring": {"podMonitors": {"interval": "1s"}},
            "images": self._story.values["images"],
            "models": {TEAM: model},
        }


def owners_of_command(model: Model) -> set[str]:
    """Return who owns the field that commands are written in."""
    site = model.site
    shown = model.stage.kube.kubectl(
        "get", "modelrollout", site.name, f"--namespace={site.namespace}", "--show-managed-fields", "--output=yaml"
    )
    return {
        entry["manager"]
        for entry in yaml.safe_load(shown)["metadata"]["managedFields"]
        if "f:leeway.dev/command" in entry["fieldsV1"].get("f:metadata", {}).get("f:annotations", {})
    }
