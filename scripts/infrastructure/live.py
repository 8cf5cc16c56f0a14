"""The platform by Terraform on a real cluster: `apply`, an inference, a change, `plan`, `destroy`; nothing is left.

The cluster is one of its own, beside the one of `make up`, and is gone at the end. What Terraform has no chart for here
(Prometheus), and what belongs to any cluster (DNS, metrics, a storage class), is there beforehand.
"""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster import demo, images, lifecycle, paths, programs, up, versions
from cluster.addons import certificates, monitoring, plan
from cluster.addons.kube import Kube
from cluster.box.network import Addresses
from cluster.fetch import debian, tools
from cluster.locked import locked
from cluster.progress import Step, StepFailedError, run_steps, wait_until
from cluster.shell import CommandFailedError, run
from images.build import Built
from images.build import build as build_image
from infrastructure import parts, program, stand_in

NAME = "terraform"
# What the cluster's own plan installs, and Terraform does here.
TERRAFORMS = frozenset({"cert-manager", "Gateway API", "Envoy Gateway", "KServe's kinds", "KServe"})
# What a destroyed platform must not leave; kinds (CRDs) are not among them, since some stay on purpose.
_WATCHED = (
    "namespaces", "deployments", "daemonsets", "statefulsets", "jobs", "services",
    "persistentvolumeclaims", "persistentvolumes", "clusterroles", "clusterrolebindings",
    "validatingwebhookconfigurations", "mutatingwebhookconfigurations",
)  # fmt: skip
# Helm makes namespaces and never removes them. Leeway's own is an object of a release, and goes with it.
_STAY = frozenset(f"Namespace {name}" for name in ("cert-manager", "envoy-gateway-system", "kserve"))
# A pod that is not ready after five minutes on this machine never will be.
_RELEASE_SECONDS = 300
_PARALLEL = 3
_OK = 200
_CHANGED = "debug"


@dataclass
class _Made:
    addresses: Addresses
    kubernetes: Path = Path()
    debian: Path = Path()
    built: dict[str, Built] = field(default_factory=dict)
    model: demo.ModelImage | None = None
    sample: dict[str, Any] = field(default_factory=dict)


def prove() -> str:
    """Do all of it and return what was seen; the cluster is gone afterwards, whatever happens.

    Raises:
        StepFailedError: with the cause of the step that failed.
        RuntimeError: something of the cluster is left.
    """
    cluster = paths.ClusterPaths(NAME)
    # Two at once would take each other's cluster down.
    with locked(cluster.state.with_suffix(".lock")):
        return _prove(cluster)


def _prove(cluster: paths.ClusterPaths) -> str:
    made = _Made(lifecycle.free_addresses())
    proof = _Proof(cluster, Kube(cluster.kubeconfig))
    try:
        before = _prepare(cluster, made, proof.kube)
        steps = [
            Step("terraform apply", lambda _: proof.apply(made), [step.name for step in before]),
            Step("an inference over HTTPS", lambda step: proof.infer(made.sample, step), ["terraform apply"]),
            Step("terraform apply: a value changed", lambda _: proof.change(made), ["an inference over HTTPS"]),
            Step("terraform plan: nothing to do", lambda _: proof.settled(), ["terraform apply: a value changed"]),
            Step("terraform destroy", proof.destroy, ["terraform plan: nothing to do"]),
        ]
        run_steps([*before, *steps], parallel=_PARALLEL)
    except StepFailedError as error:
        raise StepFailedError(f"{error}\n\n{proof.pods()}") from error
    finally:
        lifecycle.destroy(cluster)
    if left := lifecycle.leftovers(cluster):
        raise RuntimeError(f"something of {cluster.name} is left: {'; '.join(left)}")
    return "\n".join(proof.seen)


def leave_out(steps: Collection[Step], names: Collection[str]) -> list[Step]:
    """Return the steps but those called `names`, which nothing may be waiting for.

    Raises:
        ValueError: there is no such step, or another one needs it.
    """
    if missing := set(names) - {step.name for step in steps}:
        raise ValueError(f"no step is called {sorted(missing)}")
    kept = [step for step in steps if step.name not in names]
    for step in kept:
        if needed := set(step.needs) & set(names):
            raise ValueError(f"step {step.name!r} needs {sorted(needed)}, which are left out")
    return kept


def _prepare(cluster: paths.ClusterPaths, made: _Made, kube: Kube) -> list[Step]:
    def load(archives: Collection[Path]) -> None:
        for archive in archives:
            lifecycle.import_image(cluster, made.debian, archive)

    def fetch(_: Step) -> None:
        made.debian = debian.unpack(lifecycle.DEBIAN_PACKAGES)
        made.kubernetes = programs.kubernetes(versions.kubernetes())

    def start(step: Step) -> None:
        node = lifecycle.Programs(made.kubernetes / "kubernetes", made.debian, tools.fetch())
        lifecycle.start(cluster, made.addresses, node, step)
        load([images.pause(made.kubernetes / "pause")])

    def model(_: Step) -> None:
        made.model = demo.image(demo.train(demo.VERSION))
        made.sample = {"rows": [demo.samples(1)[0]["instance"]]}
        load([made.model.archive])

    def ours(_: Step) -> None:
        made.built = {name: build_image(name) for name in up.OUR_IMAGES}
        load([each.archive for each in made.built.values()])

    def check(_: Step) -> None:
        load([certificates.check_image().build()])

    return [
        Step("programs of the node", fetch),
        Step("node", start, ["programs of the node"]),
        Step("model", model, ["node"]),
        Step("our images", ours, ["node"]),
        Step("cert-manager's check", check, ["node"]),
        Step("terraform", lambda _: program.find()),
        Step("its providers", lambda _: stand_in.build()),
        *leave_out(plan.steps(kube, load, lambda: made.addresses, needs=["node"]), TERRAFORMS),
    ]


@dataclass
class _Proof:
    """Terraform on the cluster, and what was seen of it."""

    cluster: paths.ClusterPaths
    kube: Kube
    environment: Mapping[str, str] = field(default_factory=dict)
    before: frozenset[str] = frozenset()
    seen: list[str] = field(default_factory=list)

    @property
    def _folder(self) -> Path:
        return self.cluster.state / "repository/terraform/root"

    def apply(self, made: _Made) -> None:
        # A copy: roots name each other, and the chart, relative to themselves; state and providers lie in it.
        ignored = shutil.ignore_patterns(".terraform*", "terraform.tfstate*")
        shutil.copytree(paths.REPOSITORY / "terraform", self._folder.parent, ignore=ignored)
        shutil.copytree(paths.REPOSITORY / "tests/terraform/root", self._folder, ignore=ignored)
        (self._folder.parents[1] / "charts").symlink_to(paths.REPOSITORY / "charts")
        self.before = self._objects()
        self._give(made)
        self._run("init", "-no-color", "-input=false")
        self._run("apply", "-auto-approve", "-no-color", "-input=false")
        self.seen.append(f"releases: {', '.join(self._releases())}")

    def change(self, made: _Made) -> None:
        self._give(made, {"logs": {"levels": {"driftDetector": _CHANGED}}})
        self._run("apply", "-auto-approve", "-no-color", "-input=false")
        level = self.kube.kubectl(
            "get", "deployment", f"{demo.RELEASE}-drift-detector", f"--namespace={demo.NAMESPACE}",
            '--output=jsonpath={.spec.template.spec.containers[0].env[?(@.name=="LEEWAY_LOG_LEVEL")].value}',
        )  # fmt: skip
        if level != _CHANGED:
            raise RuntimeError(f"the changed value has not arrived: the detector's level is {level!r}")
        self.seen.append(f"changed: the detector's level is {level}")

    def _give(self, made: _Made, changed: Mapping[str, Any] | None = None) -> None:
        """Set what Terraform is given, with values of Leeway's chart besides those of `make up`."""
        if made.model is None:
            raise RuntimeError("the model's image is not made yet")
        values = {**parts.built(), "leeway": {**up.values(made.built, made.model), **(changed or {})}}
        given = parts.variables(
            kubeconfig=str(self.cluster.kubeconfig),
            charts=parts.charts(),
            values={name: yaml.safe_dump(each) for name, each in values.items()},
            hostname=f"*.{demo.HOSTNAME.partition('.')[2]}",
            prometheus_url=monitoring.URL,
            timeout_seconds=_RELEASE_SECONDS,
        )
        self.environment = {**stand_in.mirror(self._folder.parents[2]), **given, "PATH": stand_in.search_path()}

    def infer(self, sample: dict[str, Any], step: Step) -> None:
        self.kube.wait(
            f"modelrollout/{demo.MODEL}", "condition=Ready", namespace=demo.NAMESPACE, seconds=180, step=step
        )
        answers: list[str] = []

        def answered() -> bool:
            try:
                status, headers, answer = up.endpoint(self.cluster).post("/api/v1/predict", sample)
            except (OSError, CommandFailedError):
                return False
            if status == _OK:
                answers.append(f"{demo.MODEL} {headers.get('x-leeway-version')} answers {status}: {answer}")
            return bool(answers)

        wait_until(answered, seconds=120, what=f"an answer of https://{demo.HOSTNAME}", step=step)
        self.seen.append(answers[0])

    def settled(self) -> None:
        # Ends with an error if there is anything to do.
        self._run("plan", "-detailed-exitcode", "-no-color", "-input=false")
        self.seen.append("plan: no changes")

    def destroy(self, step: Step) -> None:
        self._run("destroy", "-auto-approve", "-no-color", "-input=false")
        left: list[str] = []

        def gone() -> bool:
            left[:] = sorted(self._objects() - self.before - _STAY)
            step.wait(f"the end of {', '.join(left)}")
            return not left

        try:
            wait_until(gone, seconds=60, what="the platform's last objects to go")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {', '.join(left)}") from error
        if releases := self._releases():
            raise RuntimeError(f"releases are left: {', '.join(releases)}")
        self.seen.append(f"destroyed; what stays of it: {', '.join(sorted(self._objects() - self.before))}")

    def pods(self) -> str:
        """Return the pods for who looks for the cause of a failure, when the cluster is gone."""
        try:
            return self.kube.kubectl("get", "pods", "--all-namespaces")
        except CommandFailedError as error:
            return f"no pods: {error}"

    def _objects(self) -> frozenset[str]:
        told = self.kube.kubectl(
            "get", ",".join(_WATCHED), "--all-namespaces",
            r'--output=jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\n"}{end}',
        )  # fmt: skip
        return frozenset(line.replace(" /", " ") for line in told.splitlines())

    def _releases(self) -> list[str]:
        environment = {"KUBECONFIG": str(self.cluster.kubeconfig)}
        return run([self.kube.tools / "helm", "list", "--all-namespaces", "--short"], env=environment).split()

    def _run(self, *arguments: str) -> None:
        log = paths.cache() / "logs" / f"terraform-{arguments[0]}.log"
        log.unlink(missing_ok=True)
        run([program.find(), f"-chdir={self._folder}", *arguments], env=self.environment, log=log)
