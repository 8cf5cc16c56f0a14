"""The command as Kubernetes runs it: a real process, real sockets, real signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from leeway_serving.main import UsageError, settings_from

BODY = json.dumps({"rows": [{"delay": 20.5, "wind": None, "carrier": "B6"}]}).encode()
PATIENCE = 30


class Process:
    """A running `leeway-serve`; its log lines are parsed as they come."""

    def __init__(self, directory: Path, **environment: str) -> None:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.port, self.metrics_port = one.getsockname()[1], two.getsockname()[1]
        command = [str(Path(sys.executable).with_name("leeway-serve")), "--model-name=flights"]
        command += [f"--model-dir={directory}", "--host=127.0.0.1"]
        command += [f"--http-port={self.port}", f"--metrics-port={self.metrics_port}"]
        self.popen = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)

    def logged(self, message: str) -> dict[str, Any]:
        """Reads the log up to the line that says `message`."""
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            entry: dict[str, Any] = json.loads(line)
            if entry["message"] == message:
                return entry
        raise AssertionError(f"the process ended without saying {message!r}")

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE)

    def post(self, path: str, content: bytes) -> httpx.Response:
        return httpx.post(f"http://127.0.0.1:{self.port}{path}", content=content, timeout=PATIENCE)

    def stop(self) -> int:
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(PATIENCE)


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        process.popen.kill()
        process.popen.communicate()


def test_a_model_that_appears_late_is_served_and_a_request_in_flight_survives_the_stop(
    sealed: Path, tmp_path: Path, processes: list[Process]
) -> None:
    link = tmp_path / "models"
    process = Process(link, LEEWAY_MODEL_VERSION="1.0.0")
    processes.append(process)
    assert process.logged("waiting for the model")["fields"]["reason"] == f"{link} is not there yet"
    waiting = process.get("/v2/models/flights")
    assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "1")
    link.symlink_to(sealed)
    ready = process.logged("ready")
    assert (ready["version"], ready["fields"]["golden_cases"]) == ("1.0.0", 16)
    assert process.get("/v2/health/ready").json() == {"ready": True}
    metrics = httpx.get(f"http://127.0.0.1:{process.metrics_port}/metrics", timeout=PATIENCE).text
    assert 'leeway_inference_in_flight{model="flights",version="1.0.0"} 0.0' in metrics

    with socket.create_connection(("127.0.0.1", process.port), timeout=PATIENCE) as client:
        head = f"POST /api/v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n\r\n"
        client.sendall(head.encode() + BODY[:10])
        _until_in_flight(process)
        process.popen.send_signal(signal.SIGTERM)
        assert process.logged("draining")["fields"]["in_flight"] == 1
        client.sendall(BODY[10:])
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"][0]["label"] == 1
    assert process.popen.wait(PATIENCE) == 0


def test_what_was_answered_before_the_stop_reaches_the_sink(sealed: Path, processes: list[Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sink:
        url = f"http://127.0.0.1:{sink.getsockname()[1]}/"
        of = {"LEEWAY_NAMESPACE": "models", "LEEWAY_INFERENCESERVICE": "flights-a"}
        process = Process(sealed, LEEWAY_CAPTURE_URL=url, **of)
        processes.append(process)
        process.logged("ready")
        answer = process.post("/api/v1/predict", BODY)
        process.popen.send_signal(signal.SIGTERM)
        connection, _ = sink.accept()
        with connection, connection.makefile("rb") as sent:
            headers = dict(
                line.decode().strip().lower().split(": ", 1) for line in iter(sent.readline, b"\r\n") if b": " in line
            )
            events = json.loads(sent.read(int(headers["content-length"])))
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    assert headers["content-type"] == "application/cloudevents-batch+json"
    assert [event["data"] for event in events] == [json.loads(BODY), answer.json()]
    assert json.loads(events[0]["metadata"])["X-Request-Id"] == [answer.headers["x-request-id"]]
    assert process.popen.wait(PATIENCE) == 0


def test_a_broken_bundle_leaves_the_server_up_and_not_ready(bundle: Path, processes: list[Process]) -> None:
    (bundle / "MODEL_CARD.md").write_text("changed")
    process = Process(bundle)
    processes.append(process)
    refused = process.logged("the model will not be served")
    assert refused["error"].startswith("MODEL_CARD.md has 7 bytes; the manifest says")
    assert process.get("/v2/health/live").status_code == 200
    answer = process.get("/v2/models/flights/ready")
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, None)
    assert answer.json() == {"error": f"model 'flights' is not ready: {refused['error']}"}
    assert process.stop() == 0


def test_a_client_reads_why_its_body_is_refused_while_it_still_sends(sealed: Path, processes: list[Process]) -> None:
    process = Process(sealed)
    processes.append(process)
    process.logged("ready")
    with socket.create_connection(("127.0.0.1", process.port), timeout=PATIENCE) as client:
        client.sendall(b"POST /api/v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n")
        sender = threading.Thread(target=_send_until_closed, args=(client,))
        sender.start()
        answer = client.recv(65536)
        client.shutdown(socket.SHUT_RDWR)
        sender.join(PATIENCE)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer
    assert process.get("/v2/health/ready").status_code == 200
    assert process.stop() == 0


def test_a_port_that_is_taken_ends_the_process(sealed: Path, processes: list[Process]) -> None:
    first = Process(sealed)
    processes.append(first)
    first.logged("ready")
    command = [str(Path(sys.executable).with_name("leeway-serve")), "--model-name=flights", f"--model-dir={sealed}"]
    command += ["--host=127.0.0.1", f"--metrics-port={first.metrics_port}"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert second.returncode == 1
    assert "Address already in use" in json.loads(second.stderr.splitlines()[-1])["error"]


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ([], {}, "--model-name"),
        (["--model-name=A b", "--model-dir=d"], {}, "'A b' does not match"),
        (["--model-name=a", "--model-dir=d", "--max-rows=0"], {}, "--max-rows 0: at least 1 was expected"),
        (["--model-name=a", "--model-dir=d"], {"LEEWAY_BUNDLE_DIGEST": "sha256:1"}, "does not match sha256:"),
        (["--model-name=a", "--model-dir=d"], {"LEEWAY_MODEL_VERSION": "1\n"}, "LEEWAY_MODEL_VERSION"),
        (["--model-name=a", "--model-dir=d"], {"LEEWAY_CAPTURE_URL": "drift"}, "LEEWAY_CAPTURE_URL 'drift': http://"),
        (["--model-name=a", "--model-dir=d"], {"LEEWAY_CAPTURE_URL": "http://drift"}, "LEEWAY_NAMESPACE ''"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments: list[str], environment: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        settings_from(arguments, environment)


def _until_in_flight(process: Process) -> None:
    """Returns once the server has the head of the request; its own metric is the only sign there is."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        metrics = httpx.get(f"http://127.0.0.1:{process.metrics_port}/metrics", timeout=PATIENCE).text
        if 'leeway_inference_in_flight{model="flights",version="1.0.0"} 1.0' in metrics:
            return
    raise AssertionError("the request never got in flight")


def _send_until_closed(client: socket.socket) -> None:
    try:
        while True:
            client.sendall(b" " * 65536)
    except OSError:
        pass  # the server has heard enough
