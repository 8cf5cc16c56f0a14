"""What is installed on the built-in cluster: everything, or what fits into a small machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cluster.choice import Choice


@dataclass(frozen=True)
class Profile:
    """One choice of parts.

    Attributes:
        name: as PROFILE says it.
        images: our images, by the key of the chart's `images` that each is.
        kserve_definitions: the chart that KServe's kinds come from.
        custom_metrics: whether prometheus-adapter is there, for autoscaling by requests.
        values: what the chart's values are besides.
    """

    name: str
    images: Mapping[str, str]
    kserve_definitions: str
    custom_metrics: bool
    values: Mapping[str, Any]


FULL = Profile(
    name="full",
    images=MappingProxyType(
        {"onnx-server": "onnxServer", "drift-detector": "driftDetector", "operators": "operators"},
    ),
    kserve_definitions="kserve-crd",
    custom_metrics=True,
    values=MappingProxyType({}),
)
SMALL = Profile(
    name="small",
    images=MappingProxyType(
        {"onnx-server": "onnxServer", "drift-detector-native": "driftDetectorNative", "operators": "operators"},
    ),
    # Without schemas: the API server holds each of them in memory several times.
    kserve_definitions="kserve-crd-minimal",
    custom_metrics=False,
    values=MappingProxyType({"driftDetector": {"backend": "native"}, "autoscaling": {"maxReplicas": 2}}),
)
CHOICE = Choice("PROFILE", {profile.name: profile for profile in (FULL, SMALL)})
