"""`make up`: from an empty machine to a model that answers over HTTPS, every step shown."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster import demo, images, lifecycle, paths, profiles, programs, versions
from cluster.addons import gateways, monitoring, plan
from cluster.addons.gateways import Implementation
from cluster.addons.kube import Kube
from cluster.box.network import Addresses
from cluster.fetch import debian, tools
from cluster.https import Endpoint
from cluster.profiles import FULL, Profile
from cluster.progress import Step, run_steps, wait_until, without
from cluster.shell import CommandFailedError, run
from images.build import Built
from images.build import build as build_image

OUR_IMAGES = FULL.images
CHART = paths.REPOSITORY / "charts/leeway"
# Baseline, not restricted: KServe's modelcar sidecar sets a user but drops nothing.
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": demo.NAMESPACE,
        "labels": {
            "pod-security.kubernetes.io/enforce": "baseline",
            "pod-security.kubernetes.io/warn": "restricted",
        },
    },
}
# The compilers each use both cores already; a third step fills the gaps while one of them waits for the network.
_PARALLEL = 3


@dataclass
class Parts:
    """What the steps make for each other."""

    addresses: Addresses
    profile: Profile
    gateway_api: Implementation
    kubernetes: Path = Path()
    debian: Path = Path()
    model: demo.ModelImage | None = None
    built: dict[str, Built] = field(default_factory=dict)
    sample: dict[str, Any] = field(default_factory=dict)


def up(cluster: paths.ClusterPaths, profile: str = "", gateway: str = "") -> str:
    """Bring the cluster, its add-ons, Leeway and the flights model up; return the lines that show how to call it.

    Args:
        cluster: which.
        profile: what is installed on it; empty is what it has, or everything.
        gateway: what serves the Gateway API; empty is what it has, or Envoy Gateway.

    Raises:
        StepFailedError: with the cause of each step that failed.
        RuntimeError: the cluster is up with another profile or gateway.
        ValueError: there is no such profile or gateway.
    """
    # What a dead box has left says nothing: its addresses may be another cluster's by now.
    is_up = lifecycle.is_up(cluster)
    standing = lifecycle.addresses_of(cluster) if is_up else None
    parts = Parts(
        addresses=standing or lifecycle.free_addresses(),
        profile=profiles.CHOICE.choose(profile, profiles.CHOICE.remembered(cluster.state) if is_up else None),
        gateway_api=gateways.CHOICE.choose(gateway, gateways.CHOICE.remembered(cluster.state) if is_up else None),
    )
    kube = Kube(cluster.kubeconfig)
    run_steps(_steps(cluster, parts, kube), parallel=_PARALLEL)
    return show(cluster, parts.sample)


def build(cluster: paths.ClusterPaths, profile: str = "", gateway: str = "") -> None:
    """Make what `up` starts from (programs, images, the model), as far as no cluster is needed for it.

    Raises:
        StepFailedError: with the cause of each step that failed.
        ValueError: there is no such profile or gateway.
    """
    parts = Parts(
        addresses=lifecycle.free_addresses(),
        profile=profiles.CHOICE.choose(profile, None),
        gateway_api=gateways.CHOICE.choose(gateway, None),
    )
    steps = _steps(cluster, parts, Kube(cluster.kubeconfig))
    run_steps(without(steps, "node"), parallel=_PARALLEL)


def endpoint(cluster: paths.ClusterPaths) -> Endpoint:
    """Return where the flights model answers; the gateway's authority is written beside the kubeconfig.

    Raises:
        CommandFailedError: the gateway or its certificate is not there.
    """
    kube = Kube(cluster.kubeconfig)
    gateway = f"--namespace={demo.NAMESPACE}"
    address = kube.kubectl(
        "get", "gateway", demo.RELEASE, gateway, "--output=jsonpath={.status.addresses[0].value}"
    ).strip()
    authority = cluster.state / "gateway-ca.crt"
    authority.write_bytes(gateway_authority(kube))
    return Endpoint(demo.HOSTNAME, address, authority)


def gateway_authority(kube: Kube) -> bytes:
    """Return who vouches for the release's Gateway, as PEM.

    Raises:
        CommandFailedError: the gateway or its certificate is not there.
    """
    gateway = f"--namespace={demo.NAMESPACE}"
    secret = kube.kubectl(
        "get", "gateway", demo.RELEASE, gateway,
        "--output=jsonpath={.spec.listeners[0].tls.certificateRefs[0].name}",
    ).strip()  # fmt: skip
    return base64.b64decode(kube.kubectl("get", "secret", secret, gateway, r"--output=jsonpath={.data.ca\.crt}"))


def values(
    built: Mapping[str, Built],
    model: demo.ModelImage,
    profile: Profile = FULL,
    gateway_api: Implementation = gateways.DEFAULT,
) -> dict[str, Any]:
    """Return the chart's values for the flights model on this cluster."""
    return {
        **profile.values,
        **gateway_api.values,
        "images": {key: {"tag": built[name].reference.rpartition(":")[2]} for name, key in profile.images.items()},
        "operator": {"prometheus": {"url": monitoring.URL}},
        "models": {demo.MODEL: {"model": model.values(), "hostnames": [demo.HOSTNAME]}},
    }


def show(cluster: paths.ClusterPaths, sample: dict[str, Any]) -> str:
    """Ask the model about one flight of the test period and return the command, the answer and where to go on."""
    place = endpoint(cluster)
    status, headers, answer = place.post("/api/v1/predict", sample)
    return "\n".join(
        [
            "",
            f"{demo.MODEL} {headers.get('x-leeway-version')} answers {status}: {answer}",
            "Ask it yourself about the same flight of the test period:",
            "",
            place.curl("/api/v1/predict", sample),
            "",
            'Then: eval "$(make -s env)" && kubectl leeway status     (make help shows the rest)',
        ]
    )


def _steps(cluster: paths.ClusterPaths, parts: Parts, kube: Kube) -> list[Step]:
    steps = [
        Step("debian packages", lambda _: _set(parts, "debian", debian.unpack(lifecycle.DEBIAN_PACKAGES))),
        Step("helm and kubectl", lambda _: tools.fetch()),
        Step("kubernetes", lambda _: _set(parts, "kubernetes", programs.kubernetes(versions.kubernetes()))),
        Step("node", lambda step: _start(cluster, parts, step), ["debian packages", "helm and kubectl", "kubernetes"]),
        Step("model", lambda _: _train(parts)),
        Step("kubectl leeway", lambda _: _plugin(cluster), ["node"]),
        Step("promtool and amtool", lambda _: _link_tools(cluster), ["node", "image monitoring"]),
    ]
    for name in parts.profile.images:
        steps += _image_steps(cluster, parts, name)
    steps.append(Step("load model", lambda _: _load(cluster, parts, [_model(parts).archive]), ["model", "node"]))
    steps += plan.steps(
        kube,
        lambda archives: _load(cluster, parts, archives),
        lambda: parts.addresses,
        needs=["node"],
        profile=parts.profile,
        gateway_api=parts.gateway_api,
    )
    everything = [step.name for step in steps]
    steps.append(Step("leeway", lambda step: _install(cluster, parts, kube, step), everything))
    steps.append(Step("https", lambda step: _wait_for_answer(cluster, parts, step), ["leeway"]))
    steps.append(Step("metrics", lambda step: _wait_for_metrics(kube, step), ["leeway"]))
    return steps


def _image_steps(cluster: paths.ClusterPaths, parts: Parts, name: str) -> list[Step]:
    def build(_: Step) -> None:
        parts.built[name] = build_image(name)

    def load(_: Step) -> None:
        _load(cluster, parts, [parts.built[name].archive])

    return [Step(f"image {name}", build), Step(f"load {name}", load, [f"image {name}", "node"])]


def _set(parts: Parts, name: str, value: object) -> None:
    setattr(parts, name, value)


def _model(parts: Parts) -> demo.ModelImage:
    if parts.model is None:
        raise RuntimeError("the model's image is not made yet")
    return parts.model


def _train(parts: Parts) -> None:
    parts.model = demo.image(demo.train(demo.VERSION))
    parts.sample = {"rows": [demo.samples(1)[0]["instance"]]}


def _start(cluster: paths.ClusterPaths, parts: Parts, step: Step) -> None:
    if not lifecycle.is_up(cluster):
        programs_of_node = lifecycle.Programs(parts.kubernetes / "kubernetes", parts.debian, tools.fetch())
        lifecycle.start(cluster, parts.addresses, programs_of_node, step)
        profiles.CHOICE.remember(cluster.state, parts.profile.name)
        gateways.CHOICE.remember(cluster.state, parts.gateway_api.name)
    _load(cluster, parts, [images.pause(parts.kubernetes / "pause")])


def _load(cluster: paths.ClusterPaths, parts: Parts, archives: Sequence[Path]) -> None:
    for archive in archives:
        lifecycle.import_image(cluster, parts.debian, archive)


def _plugin(cluster: paths.ClusterPaths) -> None:
    operators = paths.REPOSITORY / "operators"
    environment = cluster.state / "kubectl-leeway"  # its own, so that the checkout's keeps its development tools
    # uv looks at a package's version, which is the same from one change of its source to the next.
    fresh = ("--reinstall-package", "leeway-operators")
    run(
        [paths.uv(), "sync", "--no-dev", "--frozen", "--no-editable", *fresh, "--project", operators],
        env={"UV_PROJECT_ENVIRONMENT": str(environment)},
        log=cluster.logs / "kubectl-leeway.log",
    )
    _link(cluster, environment / "bin/kubectl-leeway")


def _link(cluster: paths.ClusterPaths, program: Path) -> None:
    link = cluster.bin / program.name
    link.unlink(missing_ok=True)
    link.symlink_to(program)


def _link_tools(cluster: paths.ClusterPaths) -> None:
    for program in (monitoring.promtool(), monitoring.amtool()):
        _link(cluster, program)


def _install(cluster: paths.ClusterPaths, parts: Parts, kube: Kube, step: Step) -> None:
    chosen = values(parts.built, _model(parts), parts.profile, parts.gateway_api)
    (cluster.state / "values.yaml").write_text(yaml.safe_dump(chosen, sort_keys=False), encoding="utf-8")
    kube.apply([NAMESPACE])
    # Whoever takes this kubeconfig came for the model: plain `kubectl leeway status` shows it.
    kube.kubectl("config", "set-context", "--current", f"--namespace={demo.NAMESPACE}")
    kube.helm_install(demo.RELEASE, CHART, namespace=demo.NAMESPACE, values=chosen)
    kube.wait(f"modelrollout/{demo.MODEL}", "condition=Ready", namespace=demo.NAMESPACE, seconds=180, step=step)


def _wait_for_answer(cluster: paths.ClusterPaths, parts: Parts, step: Step) -> None:
    def answers() -> bool:
        try:
            return endpoint(cluster).post("/api/v1/predict", parts.sample)[0] == 200  # noqa: PLR2004 - HTTP's own OK
        except (OSError, CommandFailedError):
            return False

    wait_until(answers, seconds=120, what=f"an answer of https://{demo.HOSTNAME}", step=step)


def _wait_for_metrics(kube: Kube, step: Step) -> None:
    ours = f"--selector=app.kubernetes.io/instance={demo.RELEASE}"
    waiting = [*monitoring.monitors(kube, monitoring.NAMESPACE), *monitoring.monitors(kube, demo.NAMESPACE, ours)]

    def scraped() -> bool:
        waiting[:] = monitoring.unscraped(monitoring.targets(kube), waiting)
        step.wait(f"the first scrape of {', '.join(waiting)}")
        return not waiting

    try:
        wait_until(scraped, seconds=180, what="the first scrape of every monitor")
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {', '.join(waiting)}; make status shows why") from error


def environment(cluster: paths.ClusterPaths) -> str:
    """Return the shell lines that make kubectl, helm and kubectl leeway speak to this cluster, and add its tools."""
    return f'export PATH="{cluster.bin}:$PATH"\nexport KUBECONFIG="{cluster.kubeconfig}"'


def context_from_environment() -> paths.ClusterPaths:
    """Return the cluster that CLUSTER names, or the one called leeway."""
    return paths.ClusterPaths(os.environ.get("CLUSTER") or "leeway")
