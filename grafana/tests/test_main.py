"""The command line: what it writes, and how it ends."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from leeway_dashboards.main import main, rendered


class Nothing(BaseHTTPRequestHandler):
    """A Prometheus that knows the values of labels and no series."""

    def do_GET(self) -> None:
        data = ["flights"] if "/values" in self.path else {"result": []}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"status": "success", "data": data}).encode())

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def prometheus() -> Iterator[str]:
    """Its URL."""
    with HTTPServer(("127.0.0.1", 0), Nothing) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_write_leaves_exactly_the_dashboards(tmp_path: Path) -> None:
    (tmp_path / "renamed.json").write_text("{}")
    assert main(["write", str(tmp_path)]) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == rendered()


def test_check_names_each_query_without_data_and_fails(capsys: pytest.CaptureFixture[str], prometheus: str) -> None:
    assert main(["check", prometheus]) == 1
    said = capsys.readouterr().out
    assert "Failed requests by model, query A: no data" in said
    assert "What holds it, query A: no data, which is right unless something holds a rollout" in said
    assert re.fullmatch(r"(\d+) queries, (?!\1|0 )\d+ of them without .*", said.splitlines()[-1])


def test_a_prometheus_that_cannot_be_reached_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "http://127.0.0.1:1"]) == 1
    assert "http://127.0.0.1:1/ gave no answer" in capsys.readouterr().err


def test_a_picture_says_that_there_are_no_data(tmp_path: Path, prometheus: str) -> None:
    assert main(["draw", prometheus, str(tmp_path), "--only", "leeway-slo"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["leeway-slo.png"]
