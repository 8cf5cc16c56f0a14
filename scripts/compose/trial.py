"""What docker-compose.yml promises, tried on its containers: a row for every prediction, and all of it watched."""

import json
import time
import urllib.request
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

PREDICTIONS = 20
_ROW = {
    "dep_delay": 42, "hour": 17, "distance": 1089, "temp": 73.4, "humid": 94.1, "wind_speed": 5.8, "precip": 0.02,
    "pressure": None, "visib": 8, "carrier": "AA", "origin": "JFK",
}  # fmt: skip
_STATUS = "http://127.0.0.1:8081/v1/status/leeway/flights"
_QUERY = "SELECT request_id, inputs, outputs FROM leeway_predictions WHERE request_id LIKE 'request-%'"

Command = Callable[..., str]


class BrokenPromiseError(RuntimeError):
    """The containers do not do what the compose file and its page say."""


def names(compose: Mapping[str, Any], services: Collection[str]) -> dict[str, str]:
    """Return the whole name of each service's image, as an engine completes it.

    Raises:
        KeyError: there is no such service.
    """
    found = {}
    for service in services:
        image: str = compose["services"][service]["image"]
        found[service] = f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"
    return found


def load(podman: Command, images: Collection[tuple[Path, str]], policy: Path) -> None:
    """Load images: of each its archive, and the name that the compose file has for it.

    Raises:
        CommandFailedError: podman refused one.
    """
    for archive, name in images:
        loaded = podman("load", "--quiet", "--signature-policy", policy, "--input", archive)
        podman("tag", loaded.rpartition("Loaded image: ")[2].strip(), name)


def run(podman: Command, compose: Command, services: Collection[str], *, say: Callable[[str], object]) -> None:
    """Bring the services up, ask for predictions, and look where they arrive; leaves nothing.

    Args:
        podman: runs podman with these arguments and returns what it printed.
        compose: the same for podman-compose.
        services: of the compose file, by name.
        say: is told each thing that was shown.

    Raises:
        BrokenPromiseError: something of it did not come true in time.
        CommandFailedError: one of the programs failed.
    """
    try:
        compose("up", "--detach", "--no-build", *services)
        checked = [service for service in services if _has_check(podman, service)]
        for service in checked:
            _until(f"the health check of {service}", partial(_healthy, podman, service))
        say(f"healthy: {', '.join(checked)}")
        _predict("first")  # by it the detector hears of the model, and asks what it is to look at
        _until("the drift profile", lambda: '"state":"loaded"' in _get(_STATUS))
        asked = {f"request-{number}": _predict(f"request-{number}") for number in range(PREDICTIONS)}
        _until("a row for every prediction", lambda: outputs(_rows(podman)) == asked)
        say(f"rows: {PREDICTIONS} of {PREDICTIONS} predictions, with what was answered")
        _until("each target", lambda: all(targets(_get("http://127.0.0.1:9090/api/v1/targets")).values()))
        phase = "http://127.0.0.1:9090/api/v1/query?query=leeway_rollout_phase"
        _until("the series by which dashboards choose a model", lambda: bool(json.loads(_get(phase))["data"]["result"]))
        say("watched: every target is up, and the dashboards' series are there")
        compose("down")
        compose("up", "--detach", "--no-build", *services)
        _until("the rows of before", lambda: outputs(_rows(podman)) == asked)
        say("kept: the rows, over `down` and `up`")
    finally:
        compose("down", "--volumes")


def outputs(rows: str) -> dict[str, float]:
    """Return request → probability of a late arrival, of what the database's client printed.

    Raises:
        ValueError: a row has not the inputs that were sent, or is not what is expected here.
    """
    found = {}
    for line in rows.splitlines():
        request, inputs, document = line.split("\t")
        if inputs == "NULL" or json.loads(inputs)["carrier"] != _ROW["carrier"]:
            raise ValueError(f"inputs of {request}: expected {_ROW}, found {inputs}")
        found[request] = round(float(json.loads(document)["probabilities.1"]), 6)
    return found


def targets(answer: str) -> dict[str, bool]:
    """Return the address of each target of Prometheus → whether its last scrape succeeded.

    Raises:
        ValueError: Prometheus has no targets, or answers something else.
    """
    found = {target["scrapeUrl"]: target["health"] == "up" for target in json.loads(answer)["data"]["activeTargets"]}
    if not found:
        raise ValueError("Prometheus has no targets")
    return found


def _predict(request: str) -> float:
    body = json.dumps({"rows": [_ROW]}).encode()
    headers = {"content-type": "application/json", "x-request-id": request}
    answer = _get(urllib.request.Request("http://127.0.0.1:8080/api/v1/predict", body, headers))
    return round(float(json.loads(answer)["predictions"][0]["probabilities"][1]), 6)


def _rows(podman: Command) -> str:
    client = 'mariadb --host 127.0.0.1 --user leeway --password="$MYSQL_PASSWORD" --batch --skip-column-names leeway'
    return podman("exec", _name("mysql"), "sh", "-c", f'{client} --execute "{_QUERY}"')


def _get(request: str | urllib.request.Request) -> str:
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - a port of the trial's own network
        text: str = answer.read().decode()
    return text


def _has_check(podman: Command, service: str) -> bool:
    return podman("inspect", "--format", "{{.Config.Healthcheck}}", _name(service)).strip() not in {"", "<nil>"}


def _healthy(podman: Command, service: str) -> bool:
    podman("healthcheck", "run", _name(service))  # fails if it is not; here nobody else runs them by the clock
    return True


def _name(service: str) -> str:
    return f"leeway_{service}_1"


def _until(what: str, true: Callable[[], bool], *, seconds: float = 120) -> None:
    until, last = time.monotonic() + seconds, "it is not so"
    while True:
        try:
            if true():
                return
        except (OSError, RuntimeError, ValueError) as error:  # not there yet: a port, a container, a table
            last = str(error)
        if time.monotonic() > until:
            raise BrokenPromiseError(f"{what}: expected within {seconds:.0f} s: {last}")
        time.sleep(1)
