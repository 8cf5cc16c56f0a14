"""Faults on the cluster: what is set up for each, what begins it and what ends it."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Self

from cluster import demo, paths
from drill.alerts import catalog
from drill.alerts.catalog import Drill
from drill.alerts.follow import Fault, Promise
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
    if isinstance(drill.injection, catalog.Flood):
        with _flood(drill, drill.injection, props) as fault:
            yield fault
    else:
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


def await_loaded(drill: Drill, world: RealWorld) -> Promise:
    """Wait until Prometheus has the alert's rule and Alertmanager its receivers; return what the rule promises.

    Raises:
        TimeoutError: they were not loaded in time.
    """
    where = drill.raised_in
    found: list[Promise] = []

    def loaded() -> bool:
        promise = world.promise(drill.alert, where)
        found[:] = [] if promise is None else [promise]
        return bool(found) and world.receives(where)

    what = f"the rule of {drill.alert} in Prometheus and receivers of namespace {where} in Alertmanager"
    world.until(loaded, seconds=_LOADED_SECONDS, what=what)
    return found[0]


class Clients:
    """Clients of one model, who send one thing at a time, until the block ends."""

    def __init__(self, release: Release, props: Props) -> None:
        self._release, self._props = release, props
        self._sending = ExitStack()

    def __enter__(self) -> Self:
        """Send nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Send no more."""
        self._sending.close()

    def send(self, samples: Sequence[Sample], *, rate: float, malformed: float = 0.0, labels: bool = False) -> Traffic:
        """Send these from now on, and nothing else."""
        self._sending.close()
        site = self._release.site
        traffic = Traffic(self._props.stage.endpoint_of(site), site.path, samples, rate=rate)
        traffic.malformed = malformed
        self._sending.enter_context(traffic)
        if labels:
            self._sending.enter_context(Labels(self._label, traffic.sent, samples, site, clock=time.time))
        return traffic

    def _label(self, items: list[dict[str, Any]]) -> None:
        try:
            self._props.detector.feedback(items)
        except (RefusedError, OSError) as error:
            self._props.world.say(f"{self._release.site.name}: {len(items)} labels were not taken: {error}")


@contextmanager
def _of_model(drill: Drill, release: Release, props: Props) -> Iterator[Fault]:
    with Clients(release, props) as clients:
        yield _switch(drill, release, clients, props)


def _switch(drill: Drill, release: Release, clients: Clients, props: Props) -> Switch:
    """Have the model asked as it has to be before the fault, and return the fault."""
    given, flights = drill.injection, props.flights
    match given:
        case catalog.Clients(rate=rate):
            sound = requests(flights, given.rows)
            sent = requests(flights, given.rows, FAULTS[given.fault]) if given.fault else sound
            clients.send(sound, rate=rate)
            if given.accustomed:
                _accustom(drill, props)
            return Switch(
                lambda: clients.send(sent, rate=rate, malformed=given.malformed),
                lambda: clients.send(sound, rate=rate),
            )
        case catalog.Server(rate=rate, accustomed=True, fault=later):
            clients.send(requests(flights, given.rows), rate=rate)
            _accustom(drill, props)
            return Switch(lambda: release.install(later), release.install)
        case catalog.Server(rate=rate, labels=labels):
            asked = requests(flights, given.rows)
            return Switch(lambda: clients.send(asked, rate=rate, labels=labels), release.install)
        case catalog.Candidate(rate=rate, fault=fault):
            before = clients.send(requests(flights, 1), rate=rate)
            props.world.until(lambda: len(before.sent) >= _HISTORY, seconds=60, what=f"{_HISTORY} requests")
            # The operator takes it back by itself, which is what is drilled.
            return Switch(lambda: release.install(fault), lambda: None)
        case _:
            raise TypeError(f"{drill.alert}: {given} is no fault of a model")


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
def _flood(drill: Drill, given: catalog.Flood, props: Props) -> Iterator[Fault]:
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
            props.world.say(f"{drill.alert}: flood: {done.stdout or done.stderr.strip()[-200:]}")
            if props.world.noticed(drill.labels):
                over.wait(given.pause)

    floods = Thread(target=again, daemon=True)

    def undo() -> None:
        over.set()
        floods.join()

    yield Switch(floods.start, undo)
