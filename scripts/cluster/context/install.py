"""Leeway on a cluster of the user's kubeconfig: look, decide, say what will be done, do it, and ask the model."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster import demo, paths, up
from cluster.addons.kube import Kube
from cluster.context import carry, engines, reach
from cluster.context.decide import OUR_CLASS, Plan, decide, table
from cluster.context.found import ENVOY_GATEWAY, INSTALLING, MADE, MADE_BY, Found
from cluster.context.parts import Chart, beside, charts, own_kinds, supported
from cluster.context.survey import namespace, survey
from cluster.profiles import Profile
from cluster.progress import Step, run_steps
from images.build import bundle_identity

_JSON = "-H 'content-type: application/json'"
Work = Callable[[Step], object]
_GATEWAY_OF_OURS = (
    "gateway.envoyproxy.io/owning-gateway-name={name},gateway.envoyproxy.io/owning-gateway-namespace={name}"
)


@dataclass(frozen=True)
class Wish:
    """What the user asked for.

    Attributes:
        context: of the kubeconfig.
        profile: which of our parts.
        registry: IMAGE_REGISTRY, to push images to; empty is none.
        verified: the folder that `make verify-release` wrote, for a published release in the place of this checkout.
    """

    context: str
    profile: Profile
    registry: str = ""
    verified: Path | None = None


@dataclass
class Made:
    """What the steps make for each other.

    Attributes:
        registry: what the images' names begin with on the nodes.
        loadable: whether it is a cluster on one machine, where nobody gives a load balancer an address.
        tags: of the images, by name.
        model: what the chart is told of the flights model.
    """

    registry: str
    loadable: bool
    tags: dict[str, str] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)


def prerequisites(wish: Wish, kube: Kube) -> Plan:
    """Install what is missing of all that Leeway stands on, and return what was decided.

    Raises:
        NoContextError: there is no such context.
        UnsupportedError: something that is there cannot be stood on.
        StepFailedError: with the cause of each step that failed.
    """
    plan = _look(wish, kube)
    run_steps(_parts(plan, wish.profile, kube), parallel=2)
    return plan


def install(wish: Wish, kube: Kube) -> str:
    """Install what is missing, then Leeway and the flights model; return the lines that show how to call it.

    Raises:
        NoContextError: there is no such context.
        NoWayError: no image could come to the nodes.
        UnsupportedError: something that is there cannot be stood on.
        StepFailedError: with the cause of each step that failed.
    """
    plan = _look(wish, kube)
    nodes = reach.nodes_of(kube)
    carrier = _carrier(wish, nodes)
    loadable = nodes is not None and nodes.kind != "built-in"
    made = Made(carrier.registry if carrier else "", loadable)
    images = _images(wish, made, carrier) if carrier else []
    steps = [*_parts(plan, wish.profile, kube), *images]
    everything = [step.name for step in steps]
    steps.append(Step("leeway", lambda step: _leeway(wish, made, kube, step), everything))
    # From within the cluster, so that it does not matter how this machine could reach the Gateway.
    test = ("test", demo.RELEASE, f"--namespace={demo.NAMESPACE}", "--logs", "--timeout=10m")
    steps.append(Step("helm test", lambda _: kube.helm(*test), ["leeway"]))
    run_steps(steps, parallel=2)
    return _show(wish, made, kube)


def values(
    found: Found,
    profile: Profile,
    images: Mapping[str, Any],
    model: Mapping[str, str],
    *,
    loadable: bool,
) -> dict[str, Any]:
    """Return the chart's values for a cluster where everything that Leeway stands on is there.

    Args:
        found: the cluster.
        profile: which of our parts.
        images: the chart's `images`.
        model: what the chart is told of the flights model; empty leaves the release without a model.
        loadable: whether it is a cluster on one machine, where nobody gives a load balancer an address.

    Raises:
        ValueError: there is no Prometheus, or no GatewayClass of Envoy Gateway's.
    """
    classes = sorted(name for name, controller in found.gateway_classes.items() if controller == ENVOY_GATEWAY)
    if not (classes and found.prometheuses):
        raise ValueError("expected a Prometheus and a GatewayClass of Envoy Gateway's after their installation")
    prometheus = found.prometheuses[0]
    # Not by what the API server serves at that moment: a release that it misses would go unwatched for good.
    watched = {"podMonitors": {"enabled": True}, "rules": {"enabled": True}, "labels": dict(prometheus.labels)}
    return {
        **profile.values,
        "images": dict(images),
        "gateway": {
            "className": classes[0],
            "envoy": {"serviceType": "ClusterIP" if loadable else "LoadBalancer"},
        },
        "operator": {"prometheus": {"url": prometheus.url}},
        "monitoring": watched,
        "networkPolicy": {"gatewayNamespace": found.controllers["envoy-gateway"].namespace},
        "kserve": {"namespace": found.controllers["kserve"].namespace},
        "models": {demo.MODEL: {"model": dict(model), "hostnames": [demo.HOSTNAME]}} if model else {},
    }


def _look(wish: Wish, kube: Kube) -> Plan:
    reach.require(wish.context, kube)
    plan = decide(survey(kube), supported())
    print(table(plan), flush=True)
    return plan


def _carrier(wish: Wish, nodes: reach.Nodes | None) -> carry.Carrier | None:
    try:
        return carry.carrier(wish.context, nodes, wish.registry, engines.ask)
    except carry.NoWayError as error:
        if wish.verified is None:
            raise
        print(f"note: the release is without a model. {error}", flush=True)
        return None


def _parts(plan: Plan, profile: Profile, kube: Kube) -> list[Step]:
    if not plan.missing and not plan.make_class:
        return []
    # What is half installed looks like what somebody has left there; this tells the next call to go on with it.
    steps = [Step("mark", lambda _: _mark(kube, f"{INSTALLING}={','.join(plan.missing)}"))]
    for part in plan.missing:
        # KServe's webhooks have their certificate of cert-manager.
        needs = ["mark", *(["cert-manager"] if part == "KServe" and "cert-manager" in plan.missing else [])]
        wanted = charts(part, profile)
        if part == "Envoy Gateway" and plan.has_gateway_api:
            steps.append(Step("Envoy Gateway's kinds", _own_kinds(wanted[0], kube), needs))
            wanted, needs = [beside(wanted[0])], ["Envoy Gateway's kinds"]
        steps.append(Step(part, _charts(wanted, kube), needs))
    if plan.make_class:
        needs = [part for part in plan.missing if part == "Envoy Gateway"]
        steps.append(Step("GatewayClass", lambda step: _gateway_class(kube, step), needs))
    everything = [step.name for step in steps]
    steps.append(Step("prerequisites", lambda _: _mark(kube, f"{INSTALLING}-"), everything))
    return steps


def _charts(wanted: list[Chart], kube: Kube) -> Work:
    def work(step: Step) -> None:
        for chart in wanted:
            step.wait(f"release {chart.release} in {chart.namespace}")
            kube.helm_install(
                chart.release, chart.address, f"--version={chart.version}", "--wait", "--timeout=10m",
                namespace=chart.namespace, values=chart.values,
            )  # fmt: skip

    return work


def _own_kinds(chart: Chart, kube: Kube) -> Work:
    def work(step: Step) -> None:
        rendered = kube.render(chart.release, chart.address, f"--version={chart.version}", namespace=chart.namespace)
        kube.apply_definitions(yaml.safe_dump_all(own_kinds(rendered)), step=step)

    return work


def _gateway_class(kube: Kube, step: Step) -> None:
    made = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": OUR_CLASS},
        "spec": {"controllerName": ENVOY_GATEWAY},
    }
    kube.apply([made])
    kube.wait(f"gatewayclass/{OUR_CLASS}", "condition=Accepted", seconds=120, step=step)


def _images(wish: Wish, made: Made, carrier: carry.Carrier) -> list[Step]:
    maker = engines.maker(engines.ask, user=os.geteuid())
    names = [] if wish.verified else list(wish.profile.images)
    steps = [Step(f"image {name}", _image(made, maker, carrier, name)) for name in names]
    return [*steps, Step("model", _model(made, maker, carrier))]


def _image(made: Made, maker: engines.Maker, carrier: carry.Carrier, name: str) -> Work:
    def work(_: Step) -> None:
        made.tags[name] = carrier.carry(maker, maker.image(name)).rpartition(":")[2]

    return work


def _model(made: Made, maker: engines.Maker, carrier: carry.Carrier) -> Work:
    def work(_: Step) -> None:
        bundle = demo.train(demo.VERSION)
        reference = carrier.carry(maker, maker.model(bundle, demo.MODEL))
        version, digest = bundle_identity(bundle)
        made.model = {"storageUri": f"oci://{reference}", "version": version, "digest": digest}

    return work


def _leeway(wish: Wish, made: Made, kube: Kube, step: Step) -> None:
    chart: str | Path = up.CHART
    images: dict[str, Any] = {
        "registry": made.registry,
        **{wish.profile.images[name]: {"tag": tag} for name, tag in made.tags.items()},
    }
    if wish.verified is not None:
        chart = (wish.verified / "chart").read_text(encoding="utf-8").strip()
        images = yaml.safe_load((wish.verified / "values.yaml").read_text(encoding="utf-8"))["images"]
    step.wait("what is there by now")
    chosen = values(survey(kube), wish.profile, images, made.model, loadable=made.loadable)
    _mark(kube, f"{MADE}={MADE_BY}")
    kube.helm_install(
        demo.RELEASE, chart, "--wait", "--timeout=10m", namespace=demo.NAMESPACE, values=chosen
    )  # fmt: skip
    if made.model:
        kube.wait(f"modelrollout/{demo.MODEL}", "condition=Ready", namespace=demo.NAMESPACE, seconds=300, step=step)


def _mark(kube: Kube, annotation: str) -> None:
    """Annotate Leeway's namespace, which is made if need be; one that is there keeps its labels."""
    if namespace(kube) is None:
        kube.apply([up.NAMESPACE])
    kube.kubectl("annotate", "namespace", demo.NAMESPACE, annotation, "--overwrite")


def _show(wish: Wish, made: Made, kube: Kube) -> str:
    tools_here = f"--kube-context={wish.context} --namespace={demo.NAMESPACE}"
    remove = f"helm uninstall {demo.RELEASE} {tools_here}     (nothing else is removed)"
    if not made.model:
        return f"\nLeeway is installed, without a model.\nTo remove it: {remove}"
    authority = paths.cache() / "contexts" / f"{wish.context.replace('/', '_')}-ca.crt"
    authority.parent.mkdir(parents=True, exist_ok=True)
    authority.write_bytes(up.gateway_authority(kube))
    selector = _GATEWAY_OF_OURS.format(name=demo.RELEASE)
    found = kube.kubectl(
        "get", "services", "--all-namespaces", f"--selector={selector}",
        "--output=jsonpath={.items[0].metadata.namespace} {.items[0].metadata.name}",
    ).split()  # fmt: skip
    forward = f"kubectl --context={wish.context} --namespace={found[0]} port-forward service/{found[1]} 8443:443"
    at = f"{demo.HOSTNAME}:8443"
    sample = json.dumps({"rows": [demo.samples(1)[0]["instance"]]})
    return "\n".join(
        [
            "",
            f"{demo.MODEL} has answered helm test. Ask it yourself about a flight of the test period:",
            "",
            f"{forward} &",
            f"curl --cacert {authority} --resolve {at}:127.0.0.1 {_JSON} https://{at}/api/v1/predict -d '{sample}'",
            "",
            f"To remove it: {remove}",
        ]
    )
