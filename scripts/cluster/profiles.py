"""What is installed on the built-in cluster: everything, or what fits into a small machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

_FILE = "profile"


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
_PROFILES = {profile.name: profile for profile in (FULL, SMALL)}


def choose(asked: str, standing: str | None) -> Profile:
    """Return the profile that `make up` goes by.

    Args:
        asked: what PROFILE says; empty is what the cluster has, or full.
        standing: the profile of the cluster that is up; None if none is.

    Raises:
        ValueError: there is no such profile.
        RuntimeError: the cluster has another, whose parts nobody would take away.
    """
    name = asked or standing or FULL.name
    if name not in _PROFILES:
        raise ValueError(f"PROFILE={name}: expected one of {', '.join(_PROFILES)}")
    if standing is not None and name != standing:
        raise RuntimeError(f"PROFILE={name}: the cluster that is up has {standing}; make down first")
    return _PROFILES[name]


def remember(state: Path, profile: Profile) -> None:
    """Keep with the cluster what it was started with."""
    (state / _FILE).write_text(profile.name, encoding="utf-8")


def remembered(state: Path) -> str:
    """Return what the cluster of this state folder was started with."""
    file = state / _FILE
    return file.read_text(encoding="utf-8") if file.exists() else FULL.name
