"""The compose file is whole, and its very commands and environment put a row into the database for every prediction.

There is no container engine here: the two programs run as processes, with MariaDB in the place of MySQL.
"""

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from rules.rendered import promtool

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# With all that the packages' own tests have, so that no environment is changed under them.
UV = (os.environ["LEEWAY_UV"], "run", "--quiet", "--frozen", "--all-extras")
# What is run of a service: its program, and the package that has it.
PROGRAMS = {"drift-detector": ("leeway-drift", "drift-detector"), "model": ("leeway-serve", "model/serving")}
# A model of one input and one output, written by the library that the server's own tests use.
WRITE_MODEL = """
import sys
from onnx import TensorProto, checker, helper, save
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("x", "prediction"))
graph = helper.make_graph([helper.make_node("Neg", ["x"], ["prediction"])], "negative", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
checker.check_model(model)
save(model, sys.argv[1])
"""


def test_every_port_is_this_machines_alone() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name


def test_every_variable_is_in_the_example_and_none_has_a_password_of_ours() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))
    example = dict(line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line)
    assert used == set(example)
    assert set(example.values()) == {""}
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_every_image_has_a_version_and_ours_are_built_from_their_containerfile() -> None:
    for name, service in SERVICES.items():
        repository, _, tag = service["image"].rpartition(":")
        assert re.match(r"v?\d+\.\d+", tag), name
        if not repository.startswith("leeway/"):
            continue
        text = (ROOT / service["build"]["dockerfile"]).read_text()
        assert repository in text, name
        assert f" AS {service['build'].get('target')}\n" in text or "target" not in service["build"], name


def test_our_containers_have_no_rights_that_they_do_not_need() -> None:
    for name, service in SERVICES.items():
        if service["image"].startswith("leeway/"):
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name


def test_what_is_mounted_is_there() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            if source == "./build/model":  # made by `make train`
                continue
            assert (ROOT / source).exists() or source in COMPOSE["volumes"], f"{name}: {source}"


def test_prometheus_reads_its_files(tmp_path: Path) -> None:
    for file in ("prometheus.yaml", "rules.yaml"):
        (tmp_path / file).write_text((ROOT / "compose" / file).read_text())
    done = subprocess.run(
        [promtool(), "check", "config", tmp_path / "prometheus.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_asks_every_program_of_ours_for_its_metrics() -> None:
    config = yaml.safe_load((ROOT / "compose/prometheus.yaml").read_text())
    targets = {
        target for job in config["scrape_configs"] for each in job["static_configs"] for target in each["targets"]
    }
    ours = {f"{name}:8082" for name, service in SERVICES.items() if service["image"].startswith("leeway/")}
    assert targets == ours


def test_dashboards_choose_models_by_series_that_are_there() -> None:
    recorded = {
        rule["record"]
        for group in yaml.safe_load((ROOT / "compose/rules.yaml").read_text())["groups"]
        for rule in group["rules"]
    }
    for file in (ROOT / "charts/leeway/files/dashboards").glob("*.json"):
        variables = json.loads(file.read_text())["templating"]["list"]
        asked = {m for v in variables for m in re.findall(r"label_values\((\w+)", json.dumps(v.get("query", "")))}
        assert asked <= recorded, file.name


def test_the_detector_finds_the_bundle_by_the_name_that_it_asks_for() -> None:
    environment = SERVICES["model"]["environment"]
    expected = f"{environment['LEEWAY_INFERENCESERVICE']}-bundle.{environment['LEEWAY_NAMESPACE']}.svc"
    assert SERVICES["model"]["networks"]["default"]["aliases"] == [expected]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Server, detector and database as the compose file says; gives the server's address and the database's URL."""
    folder = tmp_path_factory.mktemp("compose")
    (folder / "model").mkdir()
    subprocess.run(
        [*UV, "python", "-c", WRITE_MODEL, folder / "model/model.onnx"], cwd=ROOT / "model/serving", check=True
    )
    server, detector, server_metrics, detector_metrics = free_ports(4)
    places = {
        "http://drift-detector:8080/": f"http://127.0.0.1:{detector}/",
        "/mnt/models": str(folder / "model"),
        "/var/lib/leeway": str(folder / "state"),
    }
    with ExitStack() as stack:
        url = stack.enter_context(mariadb())
        password, address = re.fullmatch(r"mariadb://leeway:(\w+)@([\d.:]+)/leeway", url).groups()  # type: ignore[union-attr]
        places |= {"${MYSQL_PASSWORD:?set it in .env}": password, "mysql:3306": address}
        listen = [f"--port={detector}", f"--metrics-port={detector_metrics}"]
        stack.enter_context(running("drift-detector", places=places, listen=listen, folder=folder))
        listen = [f"--http-port={server}", f"--metrics-port={server_metrics}"]
        stack.enter_context(running("model", places=places, listen=listen, folder=folder))
        wait(f"http://127.0.0.1:{detector}{probe('drift-detector')}")
        wait(f"http://127.0.0.1:{server}{probe('model')}")
        yield f"http://127.0.0.1:{server}", url


@contextmanager
def running(service: str, *, places: Mapping[str, str], listen: list[str], folder: Path) -> Iterator[None]:
    """Run a service's program with its command and environment, at the `places` of this machine."""

    def here(text: str) -> str:
        for there, place in places.items():
            text = text.replace(there, place)
        return text

    (folder / "state").mkdir(exist_ok=True)
    program, package = PROGRAMS[service]
    command = [here(argument) for argument in SERVICES[service]["command"] if "port" not in argument]
    environment = {key: here(value) for key, value in SERVICES[service]["environment"].items()}
    with (folder / f"{service}.log").open("wb") as log:
        process = subprocess.Popen(
            [*UV, program, *command, *listen],
            cwd=ROOT / package,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


@contextmanager
def mariadb() -> Iterator[str]:
    """A database of this test's own; it ends with its standard input."""
    command = [*UV, "python", "-m", "databases", "mariadb"]
    with subprocess.Popen(
        command, cwd=ROOT / "scripts", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def probe(service: str) -> str:
    """The path that the compose file's health check asks."""
    (path,) = re.findall(r"127\.0\.0\.1:8080(/[\w/]+)", SERVICES[service]["healthcheck"]["test"][-1])
    found: str = path
    return found


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def wait(url: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url) as answer:  # noqa: S310 - an address of this test
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < until, f"{url} did not answer in {seconds:.0f} s"
            time.sleep(0.2)


def test_every_prediction_becomes_a_row(endpoint: tuple[str, str]) -> None:
    address, url = endpoint
    for value in range(20):
        body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [value]}]}
        request = urllib.request.Request(  # noqa: S310 - an address of this test
            f"{address}/v2/models/flights/infer",
            json.dumps(body).encode(),
            {"content-type": "application/json", "x-request-id": f"request-{value}"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - an address of this test
            assert json.load(answer)["outputs"][0]["data"] == [-value]
    expected = {f"request-{value}": ("leeway", "flights", "a", {"prediction": -value}) for value in range(20)}
    until = time.monotonic() + 60
    while (found := rows(url)) != expected:
        assert time.monotonic() < until, f"expected a row for each of 20 predictions, found {found}"
        time.sleep(0.5)


READ_ROWS = """
import json, sys
from sqlalchemy import create_engine, text
with create_engine(sys.argv[1]).connect() as connection:
    query = text("SELECT request_id, namespace, model, slot, outputs FROM leeway_predictions")
    print(json.dumps([[*row] for row in connection.execute(query)]))
"""


def rows(url: str) -> dict[str, tuple[str, str, str, dict[str, float]]]:
    """Request id → namespace, model, slot, and outputs."""
    url = url.replace("mariadb://", "mariadb+pymysql://")
    done = subprocess.run(
        [*UV, "python", "-c", READ_ROWS, url], cwd=ROOT / "drift-detector", capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    return {
        request: (namespace, model, slot, json.loads(outputs)) for request, namespace, model, slot, outputs in found
    }
