"""The built-in cluster as drills need it: its alerts go to an inbox for as long as they take."""

import fcntl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from cluster import demo, lifecycle, paths
from cluster.shell import CommandFailedError
from drill import flights
from drill.alerts import catalog, verify
from drill.alerts.bundle import with_short_windows
from drill.alerts.catalog import DRILLS, Drill
from drill.alerts.follow import follow
from drill.alerts.injections import Props, await_loaded, own_model, prepared
from drill.alerts.mailbox import Mailbox, mailbox
from drill.alerts.outcome import Outcome, outcome_of
from drill.alerts.release import remove_all
from drill.alerts.waves import Drills
from drill.alerts.world import Interrupted, RealWorld
from drill.api import ApiServer, RefusedError
from drill.detector import Detector
from images.build import build
from rollouts.stage import Stage
from rollouts.variants import give

_FAILURES = (
    CommandFailedError, Interrupted, LookupError, OSError, RefusedError, TimeoutError, verify.VerifyFailedError,
)  # fmt: skip


class NotUpError(RuntimeError):
    """There is nothing to drill on; the message says what to do."""


@dataclass(frozen=True)
class OnCluster:
    """Carries drills out with what there is on a cluster."""

    props: Props

    def __call__(self, drill: Drill, *, resolve: bool, told: Callable[[Outcome], None]) -> Outcome:
        """See `waves.Work`."""
        props, world = self.props, self.props.world
        outcome = outcome_of(drill)
        try:
            with ExitStack() as stack:
                if isinstance(drill.injection, catalog.Verify):
                    if drill.name:
                        stack.enter_context(own_model(drill, props))
                    await_loaded(drill, world)
                    outcome = verify.follow(drill, verify.on(props.stage.cluster.kubeconfig), world, told=told)
                else:
                    fault = stack.enter_context(prepared(drill, props))
                    outcome = follow(drill, fault, await_loaded(drill, world), world, resolve=resolve, told=told)
        except _FAILURES as error:
            world.say(f"{drill.alert}: {error}")
            return outcome.missing(str(error))
        return outcome


@contextmanager
def session(cluster: paths.ClusterPaths, *, say: Callable[[str], None]) -> Iterator[Drills]:
    """Have the cluster's alerts told to an inbox until the block ends; then everything is as `make up` installed it.

    Args:
        cluster: that `make up` has left.
        say: prints a line.

    Raises:
        NotUpError: the cluster is not up, or others drill on it.
        CommandFailedError: it refused something.
        TimeoutError: it did not come to what was expected.
    """
    if not lifecycle.is_up(cluster):
        raise NotUpError(f"the cluster {cluster.name} is not up; next: make up")
    over, run = threading.Event(), uuid.uuid4().hex[:4]
    with _alone(cluster):
        stage = Stage(cluster)
        say("what is served: training, building and loading what is missing")
        model = demo.image(with_short_windows(demo.train(demo.VERSION)))
        server = build("onnx-server-faulty")
        give(cluster, [model.archive, server.archive])
        remove_all(stage.kube)
        say(f"an inbox takes Slack's place; helm upgrade {demo.RELEASE} has its alerts told there")
        with mailbox(stage.kube, _operators(stage), namespaces=(demo.NAMESPACE,)) as box, _told_to(box, stage, run):
            world = RealWorld(ApiServer(cluster.kubeconfig), box, say, over)
            detector = Detector(cluster.kubeconfig)
            _, training = flights.load()
            props = Props(stage, world, box, detector, model, server.reference, training)
            try:
                yield Drills(OnCluster(props), box, over, run=run)
            finally:
                over.set()
                remove_all(stage.kube)  # where Ctrl-C has reached a kubectl that was about to


@contextmanager
def _alone(cluster: paths.ClusterPaths) -> Iterator[None]:
    with cluster.state.with_suffix(".drills").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotUpError(f"others drill on the cluster {cluster.name} just now; wait for their end") from error
        yield


@contextmanager
def _told_to(box: Mailbox, stage: Stage, run: str) -> Iterator[None]:
    """Have the platform tell the inbox, and admit the models of a run to its gateway."""
    names = sorted(drill.in_run(run).name for drill in DRILLS.values() if drill.name)
    admitted: dict[str, Any] = {"allowedNamespaces": names}
    gateway = {**stage.values.get("gateway", {}), **admitted}
    try:
        stage.install({**stage.values, "gateway": gateway, **box.values()})
        yield
    finally:
        stage.install(stage.values)


def _operators(stage: Stage) -> str:
    """Return an image with a Python: that of the operator."""
    deployment = stage.get("deployment", f"{demo.RELEASE}-operator")
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image
