"""What the operator writes to its log: one form, a line for each look that did something, and why others failed."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from prometheus_client import CollectorRegistry

from leeway_operators.shell.controller import Controller
from leeway_operators.shell.logs import JsonFormatter, LevelError, level_from
from leeway_operators.shell.metrics import Metrics
from leeway_operators.shell.queue import Queue
from leeway_operators.shell.reconcile import Entered, Reconciled
from tests.world import NAME, NAMESPACE, World, spec

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[2] / "schemas/log.schema.json").read_text()))
COMMAND = str(Path(sys.executable).with_name("leeway-operator"))
MARK = "Meier, 4711"
"""Stands for what is nobody's to read."""
PATIENCE = 30


def lines(text: str) -> list[dict[str, Any]]:
    """What was written, each line of it as the schema wants it."""
    parsed = [json.loads(line) for line in text.splitlines()]
    for line in parsed:
        SCHEMA.validate(line)
    return parsed


def look(world: World, *, fails: Exception | None = None) -> None:
    """One reconciliation by a worker."""

    def reconcile(namespace: str, name: str, entered: Entered) -> Reconciled | None:
        if fails is not None:
            raise fails
        return world.operator().reconcile(namespace, name, entered)

    queue, metrics = Queue(lambda: 0.0), Metrics(CollectorRegistry())
    Controller(
        world,  # type: ignore[arg-type] # nothing is watched here
        None,
        reconcile=reconcile,
        queue=queue,
        metrics=metrics,
        monotonic=lambda: 0.0,
    ).work_on((NAMESPACE, NAME))


def only(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = caplog.records
    (line,) = lines(JsonFormatter().format(record))
    return line


def python(source: str) -> list[dict[str, Any]]:
    """The lines of a process that does `source` with the log set up."""
    program = (
        f"import logging, sys, threading, warnings\nfrom leeway_operators.shell import logs\nlogs.configure()\n{source}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout == ""
    return lines(done.stderr)


def test_a_look_that_did_something_is_one_line_and_another_none(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.release(spec())
    with caplog.at_level("INFO"):
        look(world)
        world.settle()
        look(world)
    line = only(caplog)
    assert (line["level"], line["component"], line["message"]) == ("info", "operator", "reconciled")
    assert (line["namespace"], line["model"], line["version"]) == (NAMESPACE, NAME, "1")
    fields = line["fields"]
    assert fields["phase"] == "Deploying"
    assert fields["candidate"].startswith("a 1 ")
    assert fields["conditions"]["Ready"].startswith("False: NothingReleased: ")
    assert "ApplySlot flights-a" in fields["actions"]


def test_a_look_that_failed_is_one_line_that_says_of_what_and_where(caplog: pytest.LogCaptureFixture) -> None:
    look(World(), fails=OSError("the API server is away"))
    line = only(caplog)
    assert (line["message"], line["error"]) == ("the reconciliation failed", "OSError: the API server is away")
    assert (line["model"], line["fields"]) == (NAME, {"again_in_seconds": 1.0})
    assert "in reconcile" in line["traceback"]


def test_an_answer_of_the_api_server_fits_a_line_however_long_it_is(caplog: pytest.LogCaptureFixture) -> None:
    look(World(), fails=OSError("é\n" * 9000))
    line = only(caplog)
    assert len(json.dumps(line, ensure_ascii=False).encode()) < 16 * 1024


def test_a_life_from_start_to_stop_without_an_api_server_is_lines_of_the_schema(tmp_path: Path) -> None:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    with subprocess.Popen(
        [COMMAND, "--metrics-port=0", "--health-port=0"],
        env={**os.environ, "KUBECONFIG": str(tmp_path / "config")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        read = []
        for line in process.stderr:
            read.append(line)
            if json.loads(line)["message"] == "a watch ended and begins again":
                break
        process.send_signal(signal.SIGTERM)
        out, rest = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, "")
    found = lines("".join(read) + rest)
    assert [found[0]["message"], found[-1]["message"]] == ["starting", "stopped"]
    (ended, *_) = [line for line in found if line["message"] == "a watch ended and begins again"]
    assert ended["level"] == "warning"
    assert "Connection refused" in ended["error"]
    assert any(line["logger"].startswith("urllib3") for line in found)


@pytest.mark.parametrize(
    ("argument", "level", "error"),
    [
        ("--prometheus-url=prometheus:9090", "info", "the URL of Prometheus has to begin with http:// or https://"),
        ("--metrics-port=many", "info", "argument --metrics-port: invalid int value: 'many'"),
        ("--freeze=no", "loud", "LEEWAY_LOG_LEVEL 'loud': one of debug, info, warning, error was expected"),
    ],
)
def test_a_refusal_to_start_is_a_line_too(argument: str, level: str, error: str) -> None:
    environment = {**os.environ, "LEEWAY_LOG_LEVEL": level}
    done = subprocess.run(
        [COMMAND, argument], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = lines(done.stderr)
    assert (line["level"], line["message"]) == ("critical", "cannot start")
    assert line["error"].startswith(error)


def test_without_a_cluster_it_says_so_in_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "KUBECONFIG": str(tmp_path / "none")}
    done = subprocess.run([COMMAND], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    starting, failed = lines(done.stderr)
    assert (starting["message"], failed["message"]) == ("starting", "the process failed")
    assert failed["error"].startswith("ConfigException: Invalid kube-config file")
    assert "in connect" in failed["traceback"]


def test_what_nobody_caught_is_one_line_with_its_place() -> None:
    (thread,) = python("def fall(): raise ValueError('of this')\nthreading.Thread(target=fall).start()")
    assert (thread["level"], thread["message"]) == ("error", "a thread failed")
    assert thread["error"] == "ValueError: of this"
    assert "in fall" in thread["traceback"]


def test_a_librarys_warning_is_told_by_kind_and_place_and_its_lines_by_their_first() -> None:
    source = f"""
warnings.warn({MARK!r}, RuntimeWarning)
logging.getLogger("library").info("unheard")
logging.getLogger("library").warning("heard\\n{MARK}")
"""
    warned, heard = python(source)
    assert warned["fields"] == {"category": "RuntimeWarning", "at": "<string>:5"}
    assert heard["message"] == "heard"
    assert MARK not in json.dumps([warned, heard])


def test_the_level_is_one_of_four() -> None:
    assert level_from({"LEEWAY_LOG_LEVEL": "error"}) == logging.ERROR
    assert level_from({}) == logging.INFO
    with pytest.raises(LevelError, match="'INFO': one of debug, info, warning, error was expected"):
        level_from({"LEEWAY_LOG_LEVEL": "INFO"})
