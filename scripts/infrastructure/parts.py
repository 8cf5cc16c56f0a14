"""The charts of the platform's parts as this machine has them, and their values for the images that were built here."""

import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster import paths, versions
from cluster.addons import certificates, gateway, kserve, sources
from cluster.addons.images import AddonImage
from cluster.node.components import PAUSE_IMAGE


def charts() -> dict[str, str]:
    """Return where the charts lie that this repository has the sources of, by the module's names.

    Raises:
        CommandFailedError: one could not be fetched.
    """
    return {
        "cert_manager": str(sources.files("cert-manager") / "deploy/charts/cert-manager"),
        "envoy_gateway": str(sources.files("envoy-gateway") / "charts/gateway-helm"),
        "kserve_crd": str(sources.files("kserve") / "charts/kserve-crd"),
        "kserve": str(sources.files("kserve") / "charts/kserve-resources"),
        "leeway": str(paths.REPOSITORY / "charts/leeway"),
    }


def published() -> dict[str, Any]:
    """Return the values that upstream's release tooling fills into a chart, and its source lacks, by part."""
    image = f"docker.io/envoyproxy/gateway:{versions.modules()['envoy-gateway'].version}"
    filled = string.Template(_gateway_template()).substitute(GatewayImage=image, GatewayImagePullPolicy="IfNotPresent")
    return {"envoy_gateway": filled}


def built() -> dict[str, Any]:
    """Return the values with which each part runs on the built-in cluster, whose images are built here.

    Raises:
        CommandFailedError: an image could not be built.
    """
    envoy_gateway = gateway.chart_values(_gateway_template())
    # There they are applied beforehand; here they are the chart's, as for everybody.
    envoy_gateway["crds"]["enabled"] = True
    guarded = kserve.chart_values()
    # There is no image of the proxy that guards KServe's metrics: a program that waits takes its place.
    guarded["kserve"]["controller"]["rbacProxyImage"] = PAUSE_IMAGE
    return {
        "cert_manager": cert_manager([*certificates.images(), certificates.check_image()]),
        "envoy_gateway": envoy_gateway,
        "kserve": guarded,
    }


def cert_manager(images: Sequence[AddonImage]) -> dict[str, Any]:
    """Return values that name these images of the controller, the webhook, the cainjector and the check at the end."""
    by_name = {image.reference.rpartition("/")[2].partition(":")[0]: image.reference for image in images}

    def image(name: str) -> Mapping[str, str]:
        repository, _, tag = by_name[f"cert-manager-{name}"].rpartition(":")
        return {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}

    return {
        "image": image("controller"),
        **{part: {"image": image(part)} for part in ("webhook", "cainjector", "startupapicheck")},
    }


def variables(**values: object) -> dict[str, str]:
    """Return variables of Terraform as its environment takes them: what is valid JSON is a valid expression."""
    return {f"TF_VAR_{name}": value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


def _gateway_template() -> str:
    chart: Path = sources.files("envoy-gateway") / "charts/gateway-helm"
    return (chart / "values.tmpl.yaml").read_text(encoding="utf-8")
