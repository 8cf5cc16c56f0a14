"""What may be missing in a cluster without a fault of Leeway's: exporters of others, by how their metrics begin."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Exporter:
    """An exporter that Leeway uses where there is one.

    Attributes:
        name: what people call it.
        prefix: of the names of all its metrics, and of nobody else's.
        install: how to get its metrics.
    """

    name: str
    prefix: str
    install: str


EXPORTERS = (
    Exporter("kube-state-metrics", "kube_", "install kube-state-metrics and have it scraped"),
    Exporter("the kubelet's cAdvisor", "container_", "have the kubelets' /metrics/cadvisor scraped"),
    Exporter("cert-manager", "certmanager_", "have cert-manager scraped (its chart: prometheus.podmonitor.enabled)"),
    Exporter("Envoy", "envoy_", "have the gateway's proxies scraped (monitoring.podMonitors, gateway.envoy)"),
)
