"""What is there → what is done: what is missing is installed, what is there is left alone, what is unfit is refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cluster import demo
from cluster.context.found import ENVOY_GATEWAY, Found
from cluster.context.parts import Support, numbers

OUR_CLASS = "envoy"


class UnsupportedError(RuntimeError):
    """Leeway cannot stand on what is there, and what is there is not ours to change."""


@dataclass(frozen=True)
class Decision:
    """About one part: what was found of it (empty if nothing), whether it is installed, and what to know."""

    part: str
    found: str
    install: bool
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """What is done on a cluster.

    Attributes:
        decisions: per part, in the order of installation.
        gateway_class: the GatewayClass of Envoy Gateway's that models are reached by.
        make_class: whether that has to be made.
        notes: what whoever owns the cluster should know.
    """

    decisions: tuple[Decision, ...]
    gateway_class: str
    make_class: bool
    notes: tuple[str, ...] = ()

    @property
    def has_gateway_api(self) -> bool:
        """Whether the Gateway API is there, and stays as it is."""
        return any(decision.part == _GATEWAY_API.part for decision in self.decisions)

    @property
    def missing(self) -> list[str]:
        """The parts that are installed, in their order."""
        return [decision.part for decision in self.decisions if decision.install]


@dataclass(frozen=True)
class _Wanted:
    """A part, the kind it is told by, the API version of it that is used, and who answers for it."""

    part: str
    kind: str
    api: str
    controller: str = field(default="")


_CERT_MANAGER = _Wanted("cert-manager", "certificates.cert-manager.io", "v1", "cert-manager")
_GATEWAY_API = _Wanted("Gateway API", "httproutes.gateway.networking.k8s.io", "v1")
_ENVOY_GATEWAY = _Wanted("Envoy Gateway", "envoyproxies.gateway.envoyproxy.io", "v1alpha1", "envoy-gateway")
_KSERVE = _Wanted("KServe", "inferenceservices.serving.kserve.io", "v1beta1", "kserve")
_OPERATOR = _Wanted("Prometheus Operator", "prometheuses.monitoring.coreos.com", "v1")
PROMETHEUS = "Prometheus"
KINDS = tuple(wanted.kind for wanted in (_CERT_MANAGER, _GATEWAY_API, _ENVOY_GATEWAY, _KSERVE, _OPERATOR))
"""The kinds that tell what is there."""


def decide(found: Found, supported: Mapping[str, Support]) -> Plan:
    """Return what is done on a cluster with all this.

    Raises:
        UnsupportedError: with everything that is in the way.
    """
    problems: list[str] = []
    decisions: list[Decision] = []
    for part in _parts(found, supported):
        if isinstance(part, Decision):
            decisions.append(part)
        else:
            problems.append(part)
    classes = sorted(name for name, controller in found.gateway_classes.items() if controller == ENVOY_GATEWAY)
    if not classes and OUR_CLASS in found.gateway_classes:
        problems.append(
            f"GatewayClass {OUR_CLASS}: expected Envoy Gateway's ({ENVOY_GATEWAY}), found one of "
            f"{found.gateway_classes[OUR_CLASS]}"
        )
    if others := [namespace for namespace in found.leeway if namespace != demo.NAMESPACE or not found.ours]:
        problems.append(
            f"Leeway: there is an operator in namespace {', '.join(others)} that `make up` did not install, and a "
            "second one would move the same weights; make deploy upgrades it"
        )
    if problems:
        raise UnsupportedError("\n".join(problems))
    return Plan(tuple(decisions), classes[0] if classes else OUR_CLASS, not classes, tuple(_notes(found)))


def _parts(found: Found, supported: Mapping[str, Support]) -> Iterator[Decision | str]:
    yield _judged("Kubernetes", found.kubernetes, supported["Kubernetes"])
    yield _part(_CERT_MANAGER, found, supported)
    gateway_api = _part(_GATEWAY_API, found, supported)
    if isinstance(gateway_api, str) or not gateway_api.install:
        yield gateway_api
    # The Gateway API comes with Envoy Gateway's chart where it is not there.
    yield _part(_ENVOY_GATEWAY, found, supported)
    yield _part(_KSERVE, found, supported)
    yield _prometheus(found, supported)


def _part(wanted: _Wanted, found: Found, supported: Mapping[str, Support]) -> Decision | str:
    definition = found.definitions.get(wanted.kind)
    controller = found.controllers.get(wanted.controller)
    if wanted.part in found.begun:
        return Decision(wanted.part, "not finished", install=True)
    if definition is None:
        if controller is not None:
            return (
                f"{wanted.part}: its controller runs in {controller.namespace}, but the kind {wanted.kind} is missing"
            )
        return Decision(wanted.part, "", install=True)
    if wanted.api not in definition.served:
        served = ", ".join(sorted(definition.served)) or "none"
        return f"{wanted.part}: expected {wanted.kind} in {wanted.api}, which is not served ({served})"
    if wanted.controller and controller is None:
        return (
            f"{wanted.part}: the kind {wanted.kind} is there, and no Deployment that answers for it; install "
            f"{wanted.part} {supported[wanted.part].tried}, or delete its kinds if nothing of them is needed"
        )
    version = controller.version if controller and controller.version else definition.version
    return _judged(wanted.part, version, supported[wanted.part])


def _judged(part: str, version: str | None, support: Support) -> Decision | str:
    if version is None:
        return Decision(part, "of no version that it tells", install=False, note=f"proven with {support.tried}")
    found, oldest, tried = numbers(version), numbers(support.oldest), numbers(support.tried)
    # What is 0.x has no later major version to fear.
    if found < oldest or found[0] > tried[0]:
        return f"{part}: {version} is there; expected {support.oldest} or newer, below v{tried[0] + 1}"
    newer = f"newer than {support.tried}, the last that was tried" if found[:2] > tried[:2] else ""
    return Decision(part, version, install=False, note=newer)


def _prometheus(found: Found, supported: Mapping[str, Support]) -> Decision | str:
    if PROMETHEUS in found.begun:
        return Decision(PROMETHEUS, "not finished", install=True)
    operator = _part(_OPERATOR, found, supported)
    if isinstance(operator, str):
        return operator
    if operator.install:
        return Decision(PROMETHEUS, "", install=True)
    if not found.prometheuses:
        return (
            "Prometheus: the Prometheus Operator's kinds are there, and no Prometheus; make one that selects monitors "
            "and rules of every namespace, since without evidence no rollout moves"
        )
    first, *others = (f"{one.namespace}/{one.name}" for one in found.prometheuses)
    note = "; ".join([*([operator.note] if operator.note else []), f"{first} is asked", *_also(others)])
    return Decision(PROMETHEUS, f"operator {operator.found}", install=False, note=note)


def _also(others: list[str]) -> list[str]:
    return [f"not {', '.join(others)}"] if others else []


def _notes(found: Found) -> Iterator[str]:
    if found.prometheuses and not found.prometheuses[0].everywhere:
        one = found.prometheuses[0]
        yield (
            f"Prometheus {one.namespace}/{one.name} looks for monitors and rules in its own namespace only: set its "
            "podMonitorNamespaceSelector and ruleNamespaceSelector, or every step of a rollout is on hold"
        )
    if not found.metrics:
        yield "no metrics API (metrics-server): replicas do not follow the load"


def table(plan: Plan) -> str:
    """Return the decisions for people, a line each, and the notes."""
    rows = [
        (decision.part, decision.found or "not there", "is installed" if decision.install else "is left as it is",
         decision.note)
        for decision in plan.decisions
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, (*widths, 0), strict=True)) for row in rows]
    return "\n".join([*(line.rstrip() for line in lines), *(f"note: {note}" for note in plan.notes)])
