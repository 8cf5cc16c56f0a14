"""Loki and a Collector on this machine, at ports of its own address alone, for as long as a check takes."""

import http.client
import json
import socket
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from cluster.progress import wait_until
from logs import programs

_HOST = "127.0.0.1"
_START_SECONDS = 90
_STOP_SECONDS = 20
_WATCHES = "Started watching file"  # what the Collector says of each
_LIMIT = 5000  # lines that Loki gives at once, by default


class Loki:
    """A Loki that answers queries."""

    def __init__(self, port: int) -> None:
        self._port = port

    @property
    def url(self) -> str:
        """Where it takes lines and answers."""
        return f"http://{_HOST}:{self._port}"

    def is_ready(self) -> bool:
        """Whether it takes lines."""
        try:
            status, _ = self._got("/ready")
        except OSError:
            return False
        return status == HTTPStatus.OK

    def lines(self, query: str, *, since: int) -> dict[str, Any]:
        """Return the answer to a query of lines, of which Loki gives 5000 at most.

        Args:
            query: in LogQL.
            since: nanoseconds of Unix time.

        Raises:
            OSError: it refused; the message has its words.
        """
        return self._asked("query_range", {"query": query, "start": str(since), "limit": str(_LIMIT)})

    def now(self, query: str) -> dict[str, Any]:
        """Return the answer to a query of numbers.

        Raises:
            OSError: it refused; the message has its words.
        """
        return self._asked("query", {"query": query})

    def _asked(self, kind: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        status, body = self._got(f"/loki/api/v1/{kind}?{urllib.parse.urlencode(parameters)}")
        if status != HTTPStatus.OK:
            raise OSError(f"Loki answers {status} to {parameters['query']}: {body.decode(errors='replace').strip()}")
        found: dict[str, Any] = json.loads(body)
        return found

    def _got(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def loki(folder: Path) -> Iterator[Loki]:
    """Run Loki with all it keeps in `folder`.

    Raises:
        RuntimeError: it ended; the message has its last lines.
        TimeoutError: it does not become ready.
    """
    port, grpc = _free_ports(2)
    settings = {
        "auth_enabled": False,
        "analytics": {"reporting_enabled": False},
        "server": {
            "http_listen_address": _HOST,
            "http_listen_port": port,
            "grpc_listen_address": _HOST,
            "grpc_listen_port": grpc,
            "log_level": "warn",
        },
        "common": {
            "path_prefix": str(folder),
            "replication_factor": 1,
            "instance_addr": _HOST,
            "ring": {"instance_addr": _HOST, "kvstore": {"store": "inmemory"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "storage_config": {"filesystem": {"directory": str(folder / "chunks")}},
    }
    file = _configured(folder, "loki", settings)
    running = Loki(port)
    with _process([programs.loki(), f"-config.file={file}"], folder / "loki.log") as process:
        _await(running.is_ready, process, "Loki", folder / "loki.log")
        yield running


@contextmanager
def collector(folder: Path, settings: Mapping[str, Any], *, files: int) -> Iterator[None]:
    """Run a Collector with these settings; inside, it reads.

    Args:
        folder: for its configuration and its log.
        settings: with one receiver of files.
        files: how many there are that are not empty; until it has found all, it would take what is written for old.

    Raises:
        RuntimeError: it ended; the message has its last lines.
        TimeoutError: it does not begin to read.
    """
    file, log = _configured(folder, "collector", settings), folder / "collector.log"
    with _process([programs.collector(), f"--config={file}"], log) as process:
        _await(lambda: log.read_text(encoding="utf-8").count(_WATCHES) >= files, process, "the Collector", log)
        yield


def _await(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", what: str, log: Path) -> None:
    def checked() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended with {process.returncode}:{_last(log)}")
        return ready()

    try:
        wait_until(checked, seconds=_START_SECONDS, what=f"{what} ready")
    except TimeoutError as error:
        raise TimeoutError(f"{error}:{_last(log)}") from error


def _last(log: Path) -> str:
    """Return the last lines of a log, which goes with its folder."""
    return "".join(f"\n  {line}" for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


@contextmanager
def _process(command: list[str | Path], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=log.parent
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _configured(folder: Path, name: str, settings: Mapping[str, Any]) -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
    return file


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((_HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
