"""What Leeway stands on: which versions it does with, and the published charts of those it is installed with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import yaml

from cluster import versions
from cluster.profiles import SMALL, Profile


@dataclass(frozen=True)
class Support:
    """The versions of one part: from `oldest` on, and `tried` is the one that everything was proven with."""

    oldest: str
    tried: str

    def __post_init__(self) -> None:
        if numbers(self.oldest) > numbers(self.tried):
            raise ValueError(f"expected the oldest version, {self.oldest}, to be no newer than {self.tried}")


def supported() -> dict[str, Support]:
    """Return what is supported, by part."""
    modules = versions.modules()
    return {
        # Of the chart.
        "Kubernetes": Support("v1.32.0", modules["kubernetes"].version),
        # The oldest that is made for that Kubernetes.
        "cert-manager": Support("v1.15.0", modules["cert-manager"].version),
        # HTTPRoutes have had a timeout, which every model sets, since then.
        "Gateway API": Support("v1.2.0", modules["gateway-api"].version),
        # Of these no other was run.
        "Envoy Gateway": Support(_minor(modules["envoy-gateway"].version), modules["envoy-gateway"].version),
        "KServe": Support(_minor(modules["kserve"].version), modules["kserve"].version),
        # AlertmanagerConfigs and rules as the chart writes them.
        "Prometheus Operator": Support("v0.70.0", modules["prometheus-operator"].version),
    }


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's three numbers, of which the last two may be left out; what follows them does not count.

    Raises:
        ValueError: it does not begin with a number.
    """
    match = re.match(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?", version)
    if not match:
        raise ValueError(f"version {version!r}: expected one such as v1.2.3")
    return tuple(int(number or 0) for number in match.groups())


def _minor(version: str) -> str:
    major, minor, _ = numbers(version)
    return f"v{major}.{minor}.0"


@dataclass(frozen=True)
class Chart:
    """A published chart and what it is given."""

    release: str
    namespace: str
    address: str
    version: str
    values: Mapping[str, Any] = field(default_factory=dict)


KUBE_PROMETHEUS_STACK = "90.2.0"
# Each container of an InferenceService that says nothing itself would get 2 GiB of the chart.
_RESOURCES = MappingProxyType(
    {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}}
)
_SELECTORS = ("podMonitor", "serviceMonitor", "rule", "probe", "scrapeConfig")


def charts(part: str, profile: Profile) -> list[Chart]:
    """Return the charts of a part, in their order.

    Raises:
        KeyError: nothing is installed for a part of that name.
    """
    module = versions.modules()
    return {
        "cert-manager": [
            Chart(
                "cert-manager",
                "cert-manager",
                "oci://quay.io/jetstack/charts/cert-manager",
                module["cert-manager"].version,
                # A secret goes with its certificate, so that an uninstalled release leaves none.
                {"crds": {"enabled": True}, "enableCertificateOwnerRef": True},
            )
        ],
        # With the Gateway API's kinds; `beside` is for where they are there.
        "Envoy Gateway": [
            Chart(
                "envoy-gateway",
                "envoy-gateway-system",
                "oci://docker.io/envoyproxy/gateway-helm",
                module["envoy-gateway"].version,
            )
        ],
        "KServe": [
            Chart(
                "kserve-crd",
                "kserve",
                f"oci://ghcr.io/kserve/charts/{profile.kserve_definitions}",
                module["kserve"].version,
            ),
            Chart(
                "kserve",
                "kserve",
                "oci://ghcr.io/kserve/charts/kserve-resources",
                module["kserve"].version,
                {
                    "kserve": {
                        "controller": {
                            "deploymentMode": "Standard",
                            # At the chart's limit of 100m it takes a minute to start.
                            "resources": dict(_RESOURCES),
                            "gateway": {"disableIstioVirtualHost": True},
                        },
                        "inferenceservice": {"resources": dict(_RESOURCES)},
                    }
                },
            ),
        ],
        "Prometheus": [
            Chart(
                "kube-prometheus-stack",
                "monitoring",
                "oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack",
                KUBE_PROMETHEUS_STACK,
                {
                    # Alerts about the cluster itself are for who runs it.
                    "defaultRules": {"create": profile != SMALL},
                    "grafana": {"enabled": False},
                    "prometheus": {
                        # Here and not with cert-manager, which would need the kind before its operator is there.
                        "additionalPodMonitors": [
                            {
                                "name": "cert-manager",
                                "namespaceSelector": {"any": True},
                                "selector": {
                                    "matchLabels": {
                                        "app.kubernetes.io/name": "cert-manager",
                                        "app.kubernetes.io/component": "controller",
                                    }
                                },
                                # `namespace` and `name` are the certificate's.
                                "podMetricsEndpoints": [
                                    {"port": "http-metrics", "interval": "30s", "honorLabels": True}
                                ],
                            }
                        ],
                        "prometheusSpec": {
                            # What any release asks for, not only this one's.
                            **{f"{kind}SelectorNilUsesHelmValues": False for kind in _SELECTORS},
                            # Or else a new Prometheus forgets alerts that wait less than ten minutes (docs/alerts.md).
                            "additionalConfig": {"rules": {"alert": {"forGracePeriod": "1m"}}},
                        },
                    },
                    "kube-state-metrics": {
                        # Dashboards and alerts ask for these.
                        "metricLabelsAllowlist": [
                            "pods=[leeway.dev/model,leeway.dev/slot,leeway.dev/version,leeway.dev/team]",
                            "horizontalpodautoscalers=[leeway.dev/model,leeway.dev/slot]",
                        ]
                    },
                },
            )
        ],
    }[part]


def beside(chart: Chart) -> Chart:
    """Return Envoy Gateway's chart for a cluster that has the Gateway API already.

    The chart would add the experimental kinds that are missing there, which the Gateway API's own policy refuses beside
    those of the standard channel. So it brings no kinds, and those of Envoy Gateway (`own_kinds`) come before it.
    """
    return replace(chart, values={**chart.values, "crds": {"enabled": False}})


def own_kinds(manifests: str) -> list[dict[str, Any]]:
    """Return the definitions of Envoy Gateway's own kinds in its rendered chart.

    Raises:
        ValueError: there is none.
    """
    kinds = [
        document
        for document in yaml.safe_load_all(manifests)
        if document
        and document["kind"] == "CustomResourceDefinition"
        and document["spec"]["group"] == "gateway.envoyproxy.io"
    ]
    if not kinds:
        raise ValueError("Envoy Gateway's chart: expected its own kinds (group gateway.envoyproxy.io), found none")
    return kinds
