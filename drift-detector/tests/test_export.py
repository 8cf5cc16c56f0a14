import argparse
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import uvicorn
from fastapi import FastAPI

from leeway_drift.labels.feedback import Label
from leeway_drift.service.export import add_command
from leeway_drift.service.feedback import add_feedback
from leeway_drift.service.store.database import sqlite_url
from tests.labelling import Logged, logged, prediction


def export(*arguments: str) -> None:
    parser = argparse.ArgumentParser()
    add_command(parser.add_subparsers())
    options = parser.parse_args(["export", *arguments])
    options.run(options)


@pytest.fixture
def under_test(tmp_path: Path) -> Iterator[Logged]:
    with logged(tmp_path) as log:
        log.keep(prediction("e1", (0.25, 0.75)), prediction("e2", namespace="staging"))
        log.log.feedback([Label("flights", None, "e1", None, 1, 1.0, None)])
        yield log


@contextmanager
def listening(under_test: Logged) -> Iterator[str]:
    app = FastAPI()
    add_feedback(app, under_test.log)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as at:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [at]})
        thread.start()  # connections wait in the socket's queue until it accepts
        yield f"http://127.0.0.1:{at.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.mark.usefixtures("under_test")
def test_the_store_becomes_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "all.parquet"
    export("--store", sqlite_url(tmp_path), "--output", str(file))
    assert capsys.readouterr().out == f"3 predictions written to {file}\n"
    first, second, other = pq.read_table(file).to_pylist()
    assert (first["namespace"], other["namespace"]) == ("models", "staging")
    assert (first["label"], second["label"]) == (None, 1.0)
    assert second["outputs"] == '{"label":1.0,"probabilities.0":0.25,"probabilities.1":0.75}'
    assert second["label_observed_at"] == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_running_detector_gives_the_same_rows(under_test: Logged, tmp_path: Path):
    store, detector = tmp_path / "store.parquet", tmp_path / "detector.parquet"
    place = ["--namespace", "models", "--model", "flights"]
    export("--store", sqlite_url(tmp_path), *place, "--output", str(store))
    with listening(under_test) as url:
        export("--url", url, *place, "--output", str(detector))
    assert pq.read_table(detector).equals(pq.read_table(store))
    assert pq.read_table(store).num_rows == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "http://127.0.0.1:9"], "--url needs --namespace and --model"),
        (
            ["--url", "http://127.0.0.1:9", "--namespace", "n", "--model", "m"],
            "export: http://127.0.0.1:9/v1/predictions",
        ),
        (["--store", "oracle://somewhere"], "scheme 'oracle', expected one of mariadb, mysql, postgres"),
        (["--store", "sqlite:////nowhere/at/all"], "unable to open database file"),
    ],
)
def test_what_cannot_be_read_is_said_and_leaves_no_file(arguments: list[str], message: str, tmp_path: Path):
    with pytest.raises(SystemExit, match=message):
        export(*arguments, "--output", str(tmp_path / "out.parquet"))
    assert list(tmp_path.iterdir()) == []
