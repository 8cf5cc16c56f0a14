"""Drills side by side, on a cluster whose alerts go to an inbox for as long as they take."""

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from cluster import demo, lifecycle, paths
from cluster.shell import CommandFailedError
from drill import flights
from drill.alerts import catalog, verify
from drill.alerts.bundle import with_short_windows
from drill.alerts.catalog import DRILLS, Drill, chosen
from drill.alerts.follow import follow
from drill.alerts.injections import Props, await_loaded, own_model, prepared
from drill.alerts.mailbox import Mailbox, mailbox
from drill.alerts.outcome import Outcome, outcome_of
from drill.alerts.release import remove_all
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


def _nothing(_: Outcome) -> None:
    """Show nothing."""


class Drills:
    """What drills share."""

    def __init__(self, props: Props, over: threading.Event) -> None:
        self._props, self._over = props, over

    @property
    def mailbox(self) -> Mailbox:
        """What came in Slack's place."""
        return self._props.mailbox

    def run(
        self, names: Sequence[str], *, resolve: bool = True, told: Callable[[Outcome], None] = _nothing
    ) -> list[Outcome]:
        """Drill alerts side by side; those that take down what others need come last.

        Args:
            names: of alerts, or only `all`.
            resolve: whether to wait for word of their end, where there is one; leeway-verify always does.
            told: called with each outcome once its message is in Slack, by the drill's thread.

        Raises:
            UnknownDrillError: there is no such drill.
        """
        drills = chosen(names)
        outcomes: list[Outcome] = []
        for down in (False, True):
            wave = [drill for drill in drills if drill.takes_down is down]
            if wave:
                outcomes += self._side_by_side(wave, lambda drill: self._drill(drill, resolve=resolve, told=told))
        return outcomes

    def _side_by_side(self, wave: Sequence[Drill], work: Callable[[Drill], Outcome]) -> list[Outcome]:
        with ThreadPoolExecutor(len(wave)) as pool:
            futures = [pool.submit(work, drill) for drill in wave]
            try:
                return [future.result() for future in futures]
            except BaseException:  # Ctrl-C among them: each undoes its fault before the pool lets go
                self._over.set()
                raise

    def _drill(self, drill: Drill, *, resolve: bool, told: Callable[[Outcome], None]) -> Outcome:
        props, world = self._props, self._props.world
        kubeconfig = props.stage.cluster.kubeconfig
        try:
            if drill.injection == catalog.Verify(of="model"):
                with own_model(drill, props):
                    await_loaded(drill, world)
                    return verify.follow(drill, kubeconfig, world, told=told)
            if isinstance(drill.injection, catalog.Verify):
                await_loaded(drill, world)
                return verify.follow(drill, kubeconfig, world, told=told)
            with prepared(drill, props) as fault:
                await_loaded(drill, world)
                promise = world.promise(drill.alert, drill.raised_in)
                if promise is None:
                    return outcome_of(drill, gap="Prometheus has lost its rule")
                return follow(drill, fault, promise, world, resolve=resolve, told=told)
        except _FAILURES as error:
            world.say(f"{drill.alert}: {error}")
            return outcome_of(drill, gap=str(error))


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
    over = threading.Event()
    with _alone(cluster):
        stage = Stage(cluster)
        say("what is served: training, building and loading what is missing")
        model = demo.image(with_short_windows(demo.train(demo.VERSION)))
        server = build("onnx-server-faulty")
        give(cluster, [model.archive, server.archive])
        remove_all(stage.kube)
        say(f"an inbox takes Slack's place; helm upgrade {demo.RELEASE} has its alerts told there")
        with mailbox(stage.kube, _operators(stage), namespaces=(demo.NAMESPACE,)) as box, _told_to(box, stage):
            world = RealWorld(ApiServer(cluster.kubeconfig), box, say, over)
            detector = Detector(cluster.kubeconfig)
            _, training = flights.load()
            yield Drills(Props(stage, world, box, detector, model, server.reference, training), over)


@contextmanager
def _alone(cluster: paths.ClusterPaths) -> Iterator[None]:
    with cluster.state.with_suffix(".drills").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotUpError(f"others drill on the cluster {cluster.name} just now; wait for their end") from error
        yield


@contextmanager
def _told_to(box: Mailbox, stage: Stage) -> Iterator[None]:
    """Have the platform tell the inbox, and admit the drills' models to its gateway."""
    admitted: dict[str, Any] = {"allowedNamespaces": sorted(drill.name for drill in DRILLS.values() if drill.name)}
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
