"""What the server writes to its log: one form, the same words each time, and nothing of what clients send."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from jsonschema import Draft202012Validator
from onnx import TensorProto, helper

from leeway_serving.logs import JsonFormatter, LevelError, level_from

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[3] / "schemas/log.schema.json").read_text()))
MARK = "Meier, 4711"
"""Stands for what is nobody's to read."""
PATIENCE = 30
ROW = {"delay": 20.5, "wind": None, "carrier": "B6"}


def lines(text: str) -> list[dict[str, Any]]:
    """What was written, each line of it as the schema wants it."""
    parsed = [json.loads(line) for line in text.splitlines()]
    for line in parsed:
        SCHEMA.validate(line)
    return parsed


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "POD_NAMESPACE": "models", **changes}


class Process:
    """A running `leeway-serve` whose whole output is kept."""

    def __init__(self, directory: Path, **changes: str) -> None:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            self.port, self.metrics_port = one.getsockname()[1], two.getsockname()[1]
        command = [str(Path(sys.executable).with_name("leeway-serve")), "--model-name=flights"]
        command += [f"--model-dir={directory}", "--host=127.0.0.1"]
        command += [f"--http-port={self.port}", f"--metrics-port={self.metrics_port}"]
        self.popen = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**changes)
        )
        self.read: list[str] = []

    def until(self, message: str) -> dict[str, Any]:
        """Reads up to the line that says `message`."""
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.read.append(line)
            if (entry := json.loads(line))["message"] == message:
                return dict(entry)
        raise AssertionError(f"the process ended without saying {message!r}: {self.read}")

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.post(url, content=content, headers=headers, timeout=PATIENCE)

    def end(self) -> str:
        """All that it ever wrote, after SIGTERM."""
        self.popen.send_signal(signal.SIGTERM)
        out, rest = self.popen.communicate(timeout=PATIENCE)
        assert out == ""
        return "".join(self.read) + rest


@contextmanager
def running(directory: Path, **changes: str) -> Iterator[Process]:
    process = Process(directory, **changes)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.communicate()


def python(source: str) -> list[dict[str, Any]]:
    """The lines of a process that does `source` with the log set up."""
    program = f"import sys, threading, warnings\nfrom leeway_serving import logs\nlogs.configure()\n{source}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout == ""
    return lines(done.stderr)


@pytest.fixture
def picky(tmp_path: Path) -> Path:
    """A model that fails inside onnxruntime unless its input is 0 or 1."""
    graph = helper.make_graph(
        [
            helper.make_node("Squeeze", ["index", "axis"], ["flat"]),
            helper.make_node("Gather", ["table", "flat"], ["prediction"]),
        ],
        "picky",
        [helper.make_tensor_value_info("index", TensorProto.INT64, [None, 1])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None])],
        [
            onnx.numpy_helper.from_array(np.array([0.25, 0.75], np.float32), "table"),
            onnx.numpy_helper.from_array(np.array([1], np.int64), "axis"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "picky.onnx")
    return tmp_path


def test_a_life_from_start_to_stop_is_lines_of_the_schema_with_model_version_and_namespace(sealed: Path) -> None:
    with running(sealed, LEEWAY_MODEL_VERSION="1.0.0") as process:
        process.until("ready")
        assert process.post("/api/v1/predict", {"rows": [ROW]}).status_code == 200
        assert process.post("/api/v1/predict", {"rows": [{"delay": MARK}]}).status_code == 400
        found = lines(process.end())
    assert [line["message"] for line in found] == ["ready", "draining", "stopped"]
    about = {"component": "onnx-server", "level": "info", "namespace": "models", "model": "flights", "version": "1.0.0"}
    assert [{name: line[name] for name in about} for line in found] == [about] * 3
    assert found[0]["fields"]["golden_cases"] == 16


def test_at_debug_each_request_is_a_line_with_its_id_and_how_it_was_answered(sealed: Path) -> None:
    with running(sealed, LEEWAY_LOG_LEVEL="debug") as process:
        process.until("ready")
        process.post("/api/v1/predict", {"rows": [ROW, ROW]}, **{"x-request-id": "asked-1"})
        process.post("/v1/models/flights:predict", b"{", **{"x-request-id": "asked-2"})
        process.post("/api/v1/predict", {"rows": [ROW]}, **{"x-leeway-probe": "1"})
        answered = [line for line in lines(process.end()) if line["message"] == "answered"]
    assert [(line["request_id"], line["fields"]) for line in answered] == [
        ("asked-1", {"protocol": "plain", "code": 200, "rows": 2}),
        ("asked-2", {"protocol": "v1", "code": 400, "rows": 0}),
    ]
    assert {line["version"] for line in answered} == {"1.0.0"}


def test_a_model_that_fails_is_told_by_request_id_type_and_place_without_what_it_was_asked(picky: Path) -> None:
    tensor = {"name": "index", "datatype": "INT64", "shape": [1, 1], "data": [47110815]}
    with running(picky, LEEWAY_MODEL_VERSION="9") as process:
        process.until("ready")
        answer = process.post("/v2/models/flights/infer", {"inputs": [tensor]}, **{"x-request-id": "asked-3"})
        text = process.end()
    assert answer.status_code == 500
    (failed,) = [line for line in lines(text) if line["level"] == "error"]
    assert (failed["message"], failed["request_id"], failed["version"]) == ("a request failed", "asked-3", "9")
    assert failed["error"] == "InvalidArgument"
    assert "onnxruntime" in failed["traceback"]
    assert "47110815" not in text


REQUESTS: list[tuple[str, bytes, dict[str, str]]] = [
    ("/api/v1/predict", json.dumps({"rows": [ROW | {"carrier": MARK}]}).encode(), {}),
    ("/api/v1/predict", json.dumps({"rows": [ROW | {"delay": MARK}]}).encode(), {}),
    ("/api/v1/predict", json.dumps({"rows": [ROW | {MARK: 1}]}).encode(), {}),
    ("/api/v1/predict", json.dumps({"rows": [MARK]}).encode(), {}),
    ("/api/v1/predict", MARK.encode(), {}),
    ("/api/v1/predict", MARK.encode(), {"content-type": f"text/{MARK}"}),
    ("/api/v1/predict", MARK.encode(), {"content-encoding": MARK}),
    ("/v1/models/flights:predict", json.dumps({"instances": [[MARK]]}).encode(), {}),
    ("/v2/models/flights/infer", json.dumps({"id": "x", "inputs": [{"name": MARK}]}).encode(), {}),
    ("/v2/models/flights/infer", MARK.encode(), {"inference-header-content-length": "4"}),
]


def test_no_request_leaves_anything_of_itself_in_the_log_at_any_level(sealed: Path) -> None:
    with running(sealed, LEEWAY_LOG_LEVEL="debug", LEEWAY_CAPTURE_URL="http://127.0.0.1:9/") as refused:
        pass  # without its InferenceService it does not start
    assert refused.popen.returncode is not None
    of = {"LEEWAY_NAMESPACE": "models", "LEEWAY_INFERENCESERVICE": "flights-a"}
    with running(sealed, LEEWAY_LOG_LEVEL="debug", LEEWAY_CAPTURE_URL="http://127.0.0.1:9/", **of) as process:
        process.until("ready")
        codes = [process.post(path, body, **headers).status_code for path, body, headers in REQUESTS]
        with socket.create_connection(("127.0.0.1", process.port), timeout=PATIENCE) as client:
            client.sendall(f"{MARK}\r\n\r\n".encode())
            assert client.recv(65536).startswith(b"HTTP/1.1 400")
        with socket.create_connection(("127.0.0.1", process.metrics_port), timeout=PATIENCE) as client:
            client.sendall(f"GET /{MARK}".encode())
        process.until("events are not taken")
        text = process.end()
    assert codes[0] == 200
    assert set(codes[1:]) == {400, 415}
    assert lines(text)
    assert MARK not in text


@pytest.mark.parametrize(
    ("arguments", "changes", "error"),
    [
        (["--model-dir=d"], {}, "the following arguments are required: --model-name"),
        (["--model-name=a", "--model-dir=d", "--max-rows=0"], {}, "--max-rows 0: at least 1 was expected"),
        (
            ["--model-name=a", "--model-dir=d"],
            {"LEEWAY_LOG_LEVEL": "loud"},
            "LEEWAY_LOG_LEVEL 'loud': one of debug, info, warning, error was expected",
        ),
    ],
)
def test_a_refusal_to_start_is_a_line_too(arguments: list[str], changes: dict[str, str], error: str) -> None:
    command = [str(Path(sys.executable).with_name("leeway-serve")), *arguments]
    done = subprocess.run(
        command, env=environment(**changes), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = lines(done.stderr)
    assert (line["level"], line["message"], line["error"]) == ("critical", "cannot start", error)


def test_what_nobody_caught_is_one_line_with_its_place_and_without_its_text() -> None:
    (process,) = python(f"def fall(): raise ValueError({MARK!r})\ntry: fall()\nexcept ValueError: 1 / 0")
    assert (process["level"], process["message"]) == ("critical", "the process failed")
    assert process["error"] == "ZeroDivisionError"
    assert process["traceback"].index("ValueError") < process["traceback"].index("ZeroDivisionError")
    assert "in fall" in process["traceback"]
    (thread,) = python(f"t = threading.Thread(target=lambda: int({MARK!r}))\nt.start(); t.join()")
    assert (thread["message"], thread["error"]) == ("a thread failed", "ValueError")
    (unraisable,) = python(f"class A:\n    def __del__(self): int({MARK!r})\nA()")
    assert (unraisable["message"], unraisable["error"]) == ("an error could not be raised", "ValueError")
    assert python("threading.Thread(target=sys.exit).start()") == []
    for line in (process, thread, unraisable):
        assert MARK not in json.dumps(line)


def test_a_librarys_warning_is_told_by_kind_and_place() -> None:
    (line,) = python(f"warnings.warn({MARK!r}, RuntimeWarning)")
    assert (line["level"], line["fields"]) == ("warning", {"category": "RuntimeWarning", "at": "<string>:4"})
    assert MARK not in json.dumps(line)


def test_a_connection_or_an_answer_of_pythons_own_servers_that_fails_is_a_line() -> None:
    source = """
import http.server, socket, wsgiref.simple_server
class Failing(http.server.BaseHTTPRequestHandler):
    def handle(self): int("Meier, 4711")
def failing(environment, start): int("Meier, 4711")
class Silent(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_): pass
one = http.server.HTTPServer(("127.0.0.1", 0), Failing)
two = wsgiref.simple_server.make_server("127.0.0.1", 0, failing, handler_class=Silent)
for server in (one, two):
    with socket.create_connection(server.server_address) as client:
        client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        server.handle_request()
    server.server_close()
"""
    found = python(source)
    assert [(line["message"], line["error"]) for line in found] == [
        ("a connection failed", "ValueError"),
        ("an answer failed", "ValueError"),
    ]
    assert MARK not in json.dumps(found)


def test_libraries_speak_from_warning_on_and_only_their_first_line_is_kept() -> None:
    source = f"""
import asyncio, logging
for level in (10, 30):
    logging.getLogger("library").log(level, "%s was heard", "it")
logging.getLogger("library").warning("a future failed\\nfuture: <{MARK}>")
logging.getLogger("library").warning("%d", "not a number")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
"""
    assert [line["message"] for line in python(source)] == ["it was heard", "a future failed", "%d"]


def test_a_line_that_would_be_broken_by_the_container_runtime_is_cut() -> None:
    record = logging.LogRecord("a", logging.ERROR, "", 0, "é" * 9000, (), None)
    record.__dict__["error"] = "e" * 9000
    line = JsonFormatter({}).format(record)
    SCHEMA.validate(json.loads(line))
    assert len(line.encode()) < 16 * 1024
    (deep,) = python(
        "def fall(n): fall(n - 1) if n else 1 / 0\ndef f2(n): fall(n)\nsys.setrecursionlimit(5000)\n" + "fall(900)"
    )
    assert deep["traceback"].endswith("ZeroDivisionError")


def test_the_level_is_one_of_four() -> None:
    assert [level_from({"LEEWAY_LOG_LEVEL": name}) for name in ("debug", "info", "warning", "error", "")] == [
        logging.DEBUG,
        logging.INFO,
        logging.WARNING,
        logging.ERROR,
        logging.INFO,
    ]
    with pytest.raises(LevelError, match="'INFO': one of debug, info, warning, error was expected"):
        level_from({"LEEWAY_LOG_LEVEL": "INFO"})
