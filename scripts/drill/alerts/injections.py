"""Faults on the cluster: what is set up for each, what begins it and what ends it."""

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from cluster import demo, paths
from drill.alerts import catalog
from drill.alerts.catalog import Drill
from drill.alerts.follow import Fault
from drill.alerts.mailbox import Mailbox
from drill.alerts.release import Release
from drill.alerts.requests import Sample, requests
from drill.alerts.world import RealWorld
from drill.api import RefusedError
from drill.detector import Detector
from drill.faults import FAULTS
from drill.flights import Flights
from rollouts.labels import Labels
from rollouts.stage import Stage
from rollouts.traffic import Traffic

_SERVES_SECONDS = 240.0
_LOADED_SECONDS = 180.0
_ACCUSTOMED_SECONDS = 300.0
_HISTORY = 60  # requests before a release, of which stable's usual rates are known
_CANARY = ({"weight": 50},)
_FLOOD = paths.REPOSITORY / "tests/e2e/flood.py"


@dataclass(frozen=True)
class Props:
    """What drills are made of.

    Attributes:
        stage: the cluster.
        world: what is seen of it.
        mailbox: in Slack's place.
        detector: the drift detector.
        image: of the model that they serve.
        faulty: reference of the server image that reads FAULT.
        flights: of the training period: what the model's drift profile takes for ordinary.
    """

    stage: Stage
    world: RealWorld
    mailbox: Mailbox
    detector: Detector
    image: demo.ModelImage
    faulty: str
    flights: Flights


@dataclass(frozen=True)
class Switch:
    """A fault of two actions."""

    inject: Callable[[], object]
    undo: Callable[[], object]


@contextmanager
def prepared(drill: Drill, props: Props) -> Iterator[Fault]:
    """Set up what a drill needs, and leave nothing of it.

    Raises:
        CommandFailedError: the cluster refused something.
        TimeoutError: it did not come up.
        TypeError: the drill is followed by leeway-verify.
    """
    match drill.injection:
        case catalog.Flood() as flood:
            with _flood(flood, props) as fault:
                yield fault
        case catalog.Verify():
            raise TypeError(f"{drill.alert}: leeway-verify injects and follows this one itself")
        case _:
            with own_model(drill, props) as release, _of_model(drill, release, props) as fault:
                yield fault


@contextmanager
def own_model(drill: Drill, props: Props) -> Iterator[Release]:
    """Serve a model of the drill's own until the block ends; its rules and receivers are loaded.

    Raises:
        CommandFailedError: the cluster refused it.
        TimeoutError: it did not come up.
    """
    injection = drill.injection
    release = Release(
        props.stage, drill.name, image=props.image, faulty=props.faulty, mailbox=props.mailbox,
        steps=_CANARY if isinstance(injection, catalog.Candidate) else (),
    )  # fmt: skip
    props.world.say(f"{drill.alert}: model {drill.name} is installed, in a namespace of its own")
    try:
        release.install(injection.fault if isinstance(injection, catalog.Server) and not injection.accustomed else "")
        # Whatever its server's fault is, some of its answers are predictions.
        (one,) = requests(props.flights.part(0, 1), 1)
        props.world.until(lambda: release.answers(one), seconds=_SERVES_SECONDS, what=f"an answer of {drill.name}")
        yield release
    finally:
        props.world.say(f"{drill.alert}: model {drill.name} is removed")
        release.remove()


def await_loaded(drill: Drill, world: RealWorld) -> None:
    """Wait until Prometheus has the alert's rule and Alertmanager its receivers.

    Raises:
        TimeoutError: they were not loaded in time.
    """
    where = drill.raised_in
    what = f"the rule of {drill.alert} in Prometheus and receivers of namespace {where} in Alertmanager"
    world.until(
        lambda: world.promise(drill.alert, where) is not None and world.receives(where),
        seconds=_LOADED_SECONDS, what=what,
    )  # fmt: skip


class Clients:
    """Clients of one model, who send one thing at a time."""

    def __init__(self, release: Release, props: Props, rate: float) -> None:
        self._release, self._props, self._rate = release, props, rate
        self._stack = ExitStack()
        self._seed = itertools.count()

    def send(self, samples: Sequence[Sample], *, malformed: float = 0.0, labels: bool = False) -> Traffic:
        """Send these from now on, and nothing else."""
        self.rest()
        site = self._release.site
        endpoint = self._props.stage.endpoint_of(site)
        traffic = Traffic(endpoint, site.path, samples, rate=self._rate, seed=next(self._seed))
        traffic.malformed = malformed
        self._stack.enter_context(traffic)
        if labels:
            self._stack.enter_context(Labels(self._label, traffic.sent, samples, site, clock=time.time))
        return traffic

    def rest(self) -> None:
        """Send nothing."""
        self._stack.close()

    def _label(self, items: list[dict[str, Any]]) -> None:
        try:
            self._props.detector.feedback(items)
        except (RefusedError, OSError) as error:
            self._props.world.say(f"{self._release.site.name}: {len(items)} labels were not taken: {error}")


@contextmanager
def _of_model(drill: Drill, release: Release, props: Props) -> Iterator[Fault]:
    injection = drill.injection
    if isinstance(injection, catalog.Flood | catalog.Verify):
        raise TypeError(f"{drill.alert}: {injection} is no fault of a model")
    clients = Clients(release, props, injection.rate)
    try:
        yield _switch(drill, release, clients, props)
    finally:
        clients.rest()


def _switch(drill: Drill, release: Release, clients: Clients, props: Props) -> Switch:
    """Have the model asked as it has to be before the fault, and return the fault."""
    match drill.injection:
        case catalog.Clients() as asking:
            sound = requests(props.flights, asking.rows)
            sent = requests(props.flights, asking.rows, FAULTS[asking.fault]) if asking.fault else sound
            clients.send(sound)
            if asking.accustomed:
                _accustom(drill, props)
            return Switch(lambda: clients.send(sent, malformed=asking.malformed), lambda: clients.send(sound))
        case catalog.Server(accustomed=True) as later:
            clients.send(requests(props.flights, later.rows))
            _accustom(drill, props)
            return Switch(lambda: release.install(later.fault), release.install)
        case catalog.Server() as serving:
            asked = requests(props.flights, serving.rows)
            return Switch(lambda: clients.send(asked, labels=serving.labels), release.install)
        case catalog.Candidate() as candidate:
            before = clients.send(requests(props.flights, 1))
            props.world.until(lambda: len(before.sent) >= _HISTORY, seconds=60, what=f"{_HISTORY} requests")
            # The operator takes it back by itself, which is what is drilled.
            return Switch(lambda: release.install(candidate.fault), lambda: None)
        case other:
            raise TypeError(f"{drill.alert}: {other} is no fault of a model")


def _accustom(drill: Drill, props: Props) -> None:
    """Wait until the detector compares windows with the ordinary ones before them."""
    props.world.say(f"{drill.alert}: the detector gets used to {drill.name}: eight ordinary windows of ten seconds")

    def compared() -> bool:
        try:
            status = props.detector.status(props.image.version, namespace=drill.name, model=drill.name)
        except (RefusedError, OSError):  # it has not seen an event of it yet
            return False
        return accustomed(status)

    props.world.until(compared, seconds=_ACCUSTOMED_SECONDS, what=f"ordinary windows of {drill.name}")


def accustomed(status: Mapping[str, Any]) -> bool:
    """Whether a version's status says that its windows were compared with those before, and nothing was found."""
    abrupt = [one for one in status["detectors"] if one["detector"] == "abrupt" and one["reference"] == "trailing"]
    return any(one["verdict"] == "within" for one in abrupt)


@contextmanager
def _flood(given: catalog.Flood, props: Props) -> Iterator[Fault]:
    service = props.stage.get("service", f"{demo.RELEASE}-drift-detector")
    command = [
        # Whoever asks a model for predictions shall not have to share the machine's cores with it.
        "nice", "-n", "19", sys.executable, str(_FLOOD), service["spec"]["clusterIP"], "0.0.0-drill",
        str(given.seconds), str(given.batches),
    ]  # fmt: skip
    over = Event()

    def again() -> None:
        while not over.is_set():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            props.world.say(f"flood: {done.stdout or done.stderr.strip()[-200:]}")
            over.wait(given.pause)

    floods = Thread(target=again, daemon=True)

    def undo() -> None:
        over.set()
        floods.join()

    yield Switch(floods.start, undo)
