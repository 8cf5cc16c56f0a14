"""A Prometheus that scrapes a simulated fleet as the chart asks it to, and what that costs it."""

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bench import cardinality_scrape
from bench.cardinality_fleet import Pod
from cluster import paths
from cluster.addons import monitoring
from cluster.fetch import tools
from cluster.shell import run

RELEASE, NAMESPACE = "leeway", "models"
EVALUATED_EVERY = "30s"
"""The Prometheus Operator's default."""
PATIENCE = 60.0
_APIS = (
    "monitoring.coreos.com/v1/PodMonitor",
    "monitoring.coreos.com/v1/PrometheusRule",
    "gateway.envoyproxy.io/v1alpha1/EnvoyProxy",
)
_OWN = re.compile(r"([a-z_]+(?:\{.*\})?) ([^ ]+)$")


@dataclass(frozen=True)
class Reading:
    """What Prometheus says of itself.

    Attributes:
        at: monotonic seconds.
        values: its own metrics by their text, labels included.
    """

    at: float
    values: Mapping[str, float]

    def labelled(self, name: str) -> dict[str, float]:
        """The values of a metric that has one label, by the label's value."""
        found = re.compile(re.escape(name) + r'\{\w+="(.*)"\}')
        return {match[1]: value for text, value in self.values.items() if (match := found.fullmatch(text))}


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    port: int

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        data = urllib.parse.urlencode({"query": query}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query", data=data) as answer:
            samples: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return samples

    def read(self) -> Reading:
        """Its own metrics now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return Reading(time.monotonic(), own_metrics(lines))

    def wait_until_ready(self) -> None:
        """Return once it answers.

        Raises:
            TimeoutError: it does not.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready"):
                    return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        raise TimeoutError(f"Prometheus is not ready at port {self.port} within {PATIENCE:g} s")


def own_metrics(lines: list[str]) -> dict[str, float]:
    """Read an exposition, by the text of each series."""
    return {match[1]: float(match[2]) for line in lines if (match := _OWN.match(line))}


@contextmanager
def scraping(pods: list[Pod], models: int) -> Iterator[Prometheus]:
    """A Prometheus with a release of the chart that has so many models, whose pods these are."""
    manifests = list(rendered(models))
    with TemporaryDirectory(prefix="leeway-prometheus-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        made = Path(folder)
        configuration = cardinality_scrape.configuration(manifests, pods, evaluated_every=EVALUATED_EVERY)
        (made / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
        (made / "rules.yaml").write_text(yaml.safe_dump(cardinality_scrape.rules(manifests)))
        command = [
            str(monitoring.promtool().with_name("prometheus")),
            f"--config.file={made / 'prometheus.yaml'}",
            f"--storage.tsdb.path={made / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (made / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            prometheus = Prometheus(port)
            try:
                prometheus.wait_until_ready()
                yield prometheus
            except TimeoutError as error:
                raise TimeoutError(f"{error}:\n{(made / 'log').read_text()[-2000:]}") from None
            finally:
                process.terminate()


def rendered(models: int) -> Iterator[Mapping[str, Any]]:
    """The objects of a release that has the platform and so many models."""
    source = {"storageUri": "oci://docker.io/leeway/model:1.0.0", "version": "1.0.0"}
    values = {
        "models": {f"model-{number:02d}": {"model": source} for number in range(models)},
        "operator": {"prometheus": {"url": "http://prometheus.monitoring.svc:9090"}},
        "prerequisites": {"check": False},
    }
    apis = [f"--api-versions={api}" for api in _APIS]
    command: list[str | Path] = [
        tools.fetch() / "helm",
        "template",
        RELEASE,
        paths.REPOSITORY / "charts/leeway",
        "--values=-",
    ]
    # What is rendered must not depend on the cluster that happens to be at hand.
    text = run([*command, f"--namespace={NAMESPACE}", *apis], stdin=json.dumps(values), env={"KUBECONFIG": "/dev/null"})
    return (manifest for manifest in yaml.load_all(text, yaml.CSafeLoader) if manifest)
