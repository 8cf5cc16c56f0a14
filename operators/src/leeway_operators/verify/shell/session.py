"""A release of a cluster, and the ways to everything that is asked about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import kubernetes.client
import kubernetes.config
import yaml

from leeway_operators.cli.cluster import namespace_of
from leeway_operators.shell.source import SourceError
from leeway_operators.verify.core.drive import Followed, Promise, follow, promises
from leeway_operators.verify.core.faults import Fault, faults
from leeway_operators.verify.core.finding import Finding
from leeway_operators.verify.core.metrics import labels_of
from leeway_operators.verify.core.proof import prove
from leeway_operators.verify.shell.cluster import Cluster
from leeway_operators.verify.shell.prometheus import Ask, Direct, HttpPrometheus
from leeway_operators.verify.shell.proxy import Proxied, service_path
from leeway_operators.verify.shell.world import InjectionError, Posted, RealWorld, Routed

_SECONDS = 10.0
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class EndedError(Exception):
    """There is nothing to look at; the text says why."""


@dataclass(frozen=True)
class Session:
    """A release, and the ways to what is asked about it."""

    cluster: Cluster
    prometheus: HttpPrometheus
    ask: Ask
    namespace: str
    selector: str

    def look(self) -> list[Finding]:
        """What is there and what is not."""
        return prove(self.cluster.inventory(self.namespace, self.selector), self.prometheus, contract())

    def inject(self, wanted: Sequence[str], inbox_url: str | None, say: Callable[[str], None]) -> list[Followed]:
        """Follow the faults of some alerts, or of all, one after the other.

        Args:
            wanted: alerts, or only "all".
            inbox_url: where a stub lists the messages that it took; None is what Alertmanager routes.
            say: tells a person how it goes.

        Raises:
            EndedError: there is no such fault for this release.
        """
        known = faults(self.cluster.inventory(self.namespace, self.selector))
        chosen = [fault for fault in known if fault.alert in wanted or wanted == ["all"]]
        if not chosen:
            names = ", ".join(sorted(fault.alert for fault in known)) or "none"
            raise EndedError(f"--inject {' '.join(wanted)}: what can be injected here is {names}")
        promised = promises(self.prometheus.groups())
        inbox = Posted(inbox_url, self._fetch) if inbox_url else Routed(self.prometheus, self.ask)
        world = RealWorld(self.cluster, self.prometheus, inbox, say)
        return [_followed(fault, promised.get(fault.alert), world) for fault in chosen]

    def _fetch(self, url: str) -> Any:
        path = service_path(url)
        try:
            return self.cluster.read(path) if path else httpx.get(url, timeout=_SECONDS, trust_env=False).json()
        except (httpx.HTTPError, ValueError, kubernetes.client.ApiException) as error:
            raise SourceError(f"the inbox {url} gave no list of messages: {error}") from error


def contract() -> Mapping[str, frozenset[str]]:
    """Labels of each metric that Leeway's own programs have, as they were when this was built."""
    text = resources.files("leeway_operators.verify").joinpath("metrics.yaml").read_text(encoding="utf-8")
    return labels_of(yaml.safe_load(text)["metrics"])


def _followed(fault: Fault, promise: Promise | None, world: RealWorld) -> Followed:
    try:
        return follow(fault, promise, world)
    except InjectionError as error:
        return Followed(alert=fault.alert, promised=0.0, gap=str(error))


def connect(namespace: str | None, release: str | None, context: str | None, prometheus_url: str | None) -> Session:
    """The ways to a release.

    Args:
        namespace: of the release; None is the pod's own, or that of the kubeconfig's context.
        release: its name; None is every one in the namespace.
        context: of the kubeconfig; None is the current one, or none at all in a pod.
        prometheus_url: of the Prometheus that scrapes it; None is the one that its operator asks.

    Raises:
        EndedError: nothing says which Prometheus scrapes the release.
        RefusedError: the operator's Deployment may not be read, and no address was given.
        kubernetes.client.ApiException: the API server gave no answer.
        kubernetes.config.ConfigException: there is no kubeconfig.
    """
    inside = context is None and (_ACCOUNT / "token").exists()
    client = _inside() if inside else kubernetes.config.new_client_from_config(context=context)
    own = (_ACCOUNT / "namespace").read_text().strip() if inside else namespace_of(context)
    where = namespace or own
    selector = "app.kubernetes.io/part-of=leeway"
    if release:
        selector += f",app.kubernetes.io/instance={release}"
    cluster = Cluster(client)
    url = prometheus_url or cluster.prometheus_url(where, selector)
    if url is None:
        raise EndedError(
            f"no operator in namespace {where} was told of a Prometheus (operator.prometheus.url): "
            "name the one that scrapes the release with --prometheus-url"
        )
    ask = Direct() if inside else _way(cluster, given=prometheus_url)
    return Session(cluster, HttpPrometheus(url, ask), ask, where, selector)


def _way(cluster: Cluster, *, given: str | None) -> Ask:
    """From outside: names and addresses of the cluster through the API server, a given address as it is given."""
    straight, around = Direct(), Proxied(cluster)

    def ask(base: str, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        through = service_path(base) is not None or base != given
        return (around if through else straight)(base, path, parameters)

    return ask


def _inside() -> kubernetes.client.ApiClient:
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_incluster_config(configuration)
    return kubernetes.client.ApiClient(configuration)
