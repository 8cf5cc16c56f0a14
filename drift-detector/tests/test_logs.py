"""What the detector writes to its log: one form, the same words each time, and nothing of what models see and say."""

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy.exc
from jsonschema import Draft202012Validator

from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Window
from leeway_drift.labels.feedback import read_feedback
from leeway_drift.profile import Profile
from leeway_drift.service.backend import BackendThread
from leeway_drift.service.logs import JsonFormatter, LevelError, level_from
from leeway_drift.service.profiles import Loaded
from leeway_drift.service.store.database import Database, StoreUnavailable, sqlite_url
from leeway_drift.streaming.detector import Closed
from leeway_drift.streaming.streams import StreamState
from leeway_drift.streaming.timeline import Timeline
from tests.labelling import START, Logged, prediction
from tests.watching import FLIGHTS, Clock, headers, profile, request, response, serving

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas/log.schema.json").read_text()))
COMMAND = str(Path(sys.executable).parent / "leeway-drift")
MARK = "Meier, 4711"
"""Stands for what is nobody's to read."""
PATIENCE = 30


def lines(text: str) -> list[dict[str, Any]]:
    """What was written, each line of it as the schema wants it."""
    parsed = [json.loads(line) for line in text.splitlines()]
    for line in parsed:
        SCHEMA.validate(line)
    return parsed


@contextmanager
def written() -> Iterator[io.StringIO]:
    """What this process writes to its log meanwhile, at every level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("drift-detector"))
    root, own = logging.getLogger(), logging.getLogger("leeway_drift")
    root.addHandler(handler)
    own.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        own.setLevel(logging.NOTSET)
        root.removeHandler(handler)


class Process:
    """A running ``leeway-drift serve`` whose whole output is kept."""

    def __init__(self, directory: Path, level: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            port, metrics_port = one.getsockname()[1], two.getsockname()[1]
        command = [COMMAND, "serve", f"--port={port}", f"--metrics-port={metrics_port}", f"--data-dir={directory}"]
        environment = {**os.environ, "LEEWAY_LOG_LEVEL": level}
        self.popen = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.read: list[str] = []
        self.until("ready")
        transport = httpx.HTTPTransport(retries=5)  # it listens a moment later
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=PATIENCE)

    def until(self, message: str) -> dict[str, Any]:
        """Read up to the line that says ``message``."""
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.read.append(line)
            if (entry := json.loads(line))["message"] == message:
                return dict(entry)
        raise AssertionError(f"the process ended without saying {message!r}: {self.read}")

    def end(self) -> str:
        """All that it ever wrote, after SIGTERM."""
        self.client.close()
        self.popen.send_signal(signal.SIGTERM)
        out, rest = self.popen.communicate(timeout=PATIENCE)
        assert out == ""
        return "".join(self.read) + rest


@contextmanager
def running(directory: Path, level: str) -> Iterator[Process]:
    process = Process(directory, level)
    try:
        yield process
    finally:
        process.popen.kill()
        process.popen.communicate()


def python(source: str) -> list[dict[str, Any]]:
    """The lines of a process that does ``source`` with the log set up."""
    program = f"import sys, threading, warnings\nfrom leeway_drift.service import logs\nlogs.configure()\n{source}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout == ""
    return lines(done.stderr)


def test_a_life_from_start_to_stop_is_four_lines_of_the_schema(tmp_path: Path):
    with running(tmp_path, "info") as process:
        assert process.client.post("/", headers=headers(1, at=time.time()), content=request([1.0])).status_code == 200
        assert process.client.post("/", content=MARK.encode()).status_code == 400
        found = lines(process.end())
    assert [line["message"] for line in found] == ["starting", "ready", "draining", "stopped"]
    assert {(line["component"], line["level"]) for line in found} == {("drift-detector", "info")}
    assert found[1]["fields"]["limits"]["queue_events"] > 0


def test_at_debug_an_inference_and_its_label_are_lines_with_its_request_id_and_nothing_of_what_they_hold(
    tmp_path: Path,
):
    now = time.time()
    with running(tmp_path, "debug") as process:
        post = process.client.post
        for kind, body in (("request", request([47110815.0], [MARK])), ("response", response([0.25]))):
            post("/", headers=headers(1, kind=kind, at=now, request_id="asked-1"), content=body)
        process.until("inference")
        label = {"model": "flights", "label": 47110816}
        codes = [
            post("/v1/feedback", json={**label, "id": "asked-2"}).status_code,
            post("/v1/feedback", json={**label, "entity": MARK}).status_code,
            post("/v1/feedback", json={**label, "id": "asked-1", "label": MARK}).status_code,
            post("/v1/feedback", content=MARK.encode(), headers={"content-type": "application/json"}).status_code,
            post("/", headers=headers(2, at=now), content=MARK.encode()).status_code,
            post("/", headers={"content-type": "application/cloudevents-batch+json"}, content=b"[]").status_code,
            post("/", headers={**headers(3, at=now), "ce-time": MARK}, content=b"{}").status_code,
        ]
        text = process.end()
    assert codes[0] == 202
    assert set(codes[2:4] + codes[6:]) <= {400, 422}
    told = [line for line in lines(text) if line["level"] == "debug"]
    about = {"namespace": "models", "model": "flights", "version": "1.0.0", "request_id": "asked-1"}
    (inference,) = [line for line in told if line["message"] == "inference"]
    assert {name: inference[name] for name in about} == about
    assert inference["fields"] == {"slot": "a"}
    labels = [line for line in told if line["message"] == "label"]
    assert [(line.get("request_id"), line["fields"]["outcome"]) for line in labels][:1] == [("asked-2", "pending")]
    for marked in (MARK, "47110815", "47110816"):
        assert marked not in text


def test_a_label_that_meets_its_prediction_is_told_of_that_prediction(tmp_path: Path):
    under_test = Logged(Database(sqlite_url(tmp_path)))
    under_test.keep(prediction("e1"))
    with written() as log:
        body = json.dumps({"id": "e1", "model": "flights", "label": 1}).encode()
        under_test.log.feedback(read_feedback(body, "application/json", START).items)
    under_test.log.close()
    (line,) = lines(log.getvalue())
    assert (line["request_id"], line["version"]) == ("request-e1", "1.0.0")
    assert line["fields"] == {"outcome": "accepted"}


class Quoting:
    """A backend that fails, and says of what."""

    name = "alibi"
    detectors = ("tabular",)

    def judge(self, *_: object) -> list:
        raise ValueError(MARK)


class Unreadable:
    """Rows that cannot be counted, and say why."""

    nbytes = 0

    @property
    def count(self) -> int:
        raise ValueError(MARK)


def judged_by_a_backend_that_fails() -> None:
    thread, judged = BackendThread(Quoting(), lambda _, judge: judge()), threading.Event()
    known = Profile.parse(json.loads(profile()))
    window = Window(START, START, Counts.none(known.plan), None)
    state = StreamState(timeline=Timeline(5.0), last_seen=0.0, closed=0)
    thread.start()
    loaded = Loaded("d" * 64, "sha256:d", known, {}, None)
    thread.offer(Closed(FLIGHTS, state, window), loaded, lambda *_: judged.set())
    assert judged.wait(PATIENCE)
    thread.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_on_the_way_of_rows_is_told_by_type_and_place_alone(tmp_path: Path):
    def die() -> None:
        raise RuntimeError(MARK)

    with written() as log:
        with serving(tmp_path, Clock()) as (service, _):
            service.engine.tell(die)
            service.engine.join()
        judged_by_a_backend_that_fails()
        under_test = Logged(Database(sqlite_url(tmp_path)))
        under_test.keep(prediction("e1", features=Unreadable()))
        under_test.log.close()
    faults = [line for line in lines(log.getvalue()) if line["level"] == "error"]
    assert [line["message"] for line in faults] == [
        "the engine has died",
        "the backend failed",
        "a fault in the prediction log",
    ]
    assert [line["error"] for line in faults] == ["RuntimeError", "ValueError", "ValueError"]
    assert [line.get("version") for line in faults] == [None, "1.0.0", "1.0.0"]
    assert faults[2]["request_id"] == "request-e1"
    assert all("traceback" in line for line in faults)
    assert MARK not in log.getvalue()


STATEMENT = ("INSERT", {"value": MARK})


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (sqlalchemy.exc.OperationalError(*STATEMENT, OSError("refused")), "OSError: refused"),
        (sqlalchemy.exc.DataError(*STATEMENT, ValueError(f"too long: {MARK}")), "ValueError"),
        (sqlalchemy.exc.IntegrityError(*STATEMENT, ValueError(f"twice: {MARK}")), "ValueError"),
        (sqlalchemy.exc.StatementError("conversion", *STATEMENT, TypeError(MARK)), "TypeError"),
        (sqlalchemy.exc.DatabaseError(*STATEMENT, OSError({"C": "22P02", "M": f"invalid: {MARK}"})), "OSError 22P02"),
        (
            sqlalchemy.exc.DatabaseError(*STATEMENT, OSError({"C": "28P01", "M": "no such password"})),
            "OSError 28P01: no such password",
        ),
        (sqlalchemy.exc.TimeoutError("QueuePool limit of size 3"), "TimeoutError: QueuePool limit of size 3"),
    ],
)
def test_of_a_store_its_state_is_told_and_never_a_value(tmp_path: Path, error: Exception, told: str):
    database = Database(sqlite_url(tmp_path))
    with pytest.raises(StoreUnavailable) as unavailable, database.write():
        raise error
    assert str(unavailable.value) == f"the prediction store: {told}"
    database.close()


def test_a_refusal_to_start_is_a_line_too(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"backend": "none"}')
    for level, error in (("info", "backend"), ("loud", "LEEWAY_LOG_LEVEL 'loud': one of debug, info, warning, error")):
        done = subprocess.run(
            [COMMAND, "serve", f"--config={tmp_path / 'config.json'}"],
            env={**os.environ, "LEEWAY_LOG_LEVEL": level},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = lines(done.stderr)
        assert (line["level"], line["message"]) == ("critical", "cannot start")
        assert error in line["error"]


def test_what_nobody_caught_is_one_line_with_its_place_and_without_its_text():
    (process,) = python(f"def fall(): raise ValueError({MARK!r})\ntry: fall()\nexcept ValueError: 1 / 0")
    assert (process["level"], process["message"]) == ("critical", "the process failed")
    assert process["error"] == "ZeroDivisionError"
    assert process["traceback"].index("ValueError") < process["traceback"].index("ZeroDivisionError")
    assert "in fall" in process["traceback"]
    (thread,) = python(f"t = threading.Thread(target=lambda: int({MARK!r}))\nt.start(); t.join()")
    assert (thread["message"], thread["error"]) == ("a thread failed", "ValueError")
    (warning,) = python(f"warnings.warn({MARK!r}, RuntimeWarning)")
    assert warning["fields"] == {"category": "RuntimeWarning", "at": "<string>:4"}
    for line in (process, thread, warning):
        assert MARK not in json.dumps(line)


def test_a_request_that_fails_in_the_server_is_a_line_without_its_text():
    source = f"""
import asyncio, uvicorn
async def app(scope, receive, send): int({MARK!r})
async def main():
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started: await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n")
    await reader.readline()
    writer.close()
    server.should_exit = True
    await serving
asyncio.run(main())
"""
    (line,) = python(source)
    assert (line["logger"], line["message"]) == ("uvicorn.error", "Exception in ASGI application")
    assert line["error"] == "ValueError"
    assert MARK not in json.dumps(line)


def test_the_level_is_one_of_four():
    assert level_from({"LEEWAY_LOG_LEVEL": "warning"}) == logging.WARNING
    assert level_from({}) == logging.INFO
    with pytest.raises(LevelError, match="'INFO': one of debug, info, warning, error was expected"):
        level_from({"LEEWAY_LOG_LEVEL": "INFO"})
