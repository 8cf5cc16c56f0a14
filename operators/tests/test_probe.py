"""Asking pods for their word, over real connections."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Thread
from typing import Any

import pytest

from leeway_operators.core.seen import Word
from leeway_operators.shell.probe import HttpProbe
from tests.world import NAME


@contextmanager
def server(
    status: int,
    body: bytes,
    seen: list[tuple[str, str | None]],
    headers: Mapping[str, str],
    before: Callable[[], object] = lambda: None,
) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            before()
            seen.append((self.path, self.headers["x-leeway-probe"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join()


def asked(status: int, body: Any, **headers: str) -> tuple[Word, list[tuple[str, str | None]]]:
    seen: list[tuple[str, str | None]] = []
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with server(status, payload, seen, named) as port:
        words = HttpProbe(port)(["127.0.0.1"], NAME)
    return words["127.0.0.1"], seen


def test_the_servers_word_is_its_metadata_and_the_question_is_marked_as_a_probe() -> None:
    parameters = {"version": "2", "bundle_digest": "sha256:1", "task": "regression"}
    word, seen = asked(200, {"name": NAME, "parameters": parameters})
    assert word == Word(version="2", digest="sha256:1")
    assert seen == [(f"/v2/models/{NAME}", "1")]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, {"error": "bundle digest differs"}, "bundle digest differs"),
        (503, {}, "answered 503"),
        (404, {"error": "model 'flights' is not served here"}, "not served here"),
        (200, b"<html>", "no JSON object"),
        (200, [], "no JSON object"),
        (200, b"[" * (1 << 21), "no JSON object"),
        (200, {"name": NAME}, "without parameters.version"),
    ],
)
def test_a_refusal_is_told_in_its_own_words(status: int, body: Any, error: str) -> None:
    word, _ = asked(status, body)
    assert word.version is None
    assert error in (word.error or "")
    assert word.refused


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_names_a_time_to_come_back_has_not_refused(status: int) -> None:
    word, _ = asked(status, {"error": "still loading"}, retry_after="1")
    assert word == Word(error="still loading", refused=False)


def test_silence_is_an_error_that_names_the_port_and_no_refusal() -> None:
    with server(200, b"", [], {}) as port:
        pass
    words = HttpProbe(port)(["127.0.0.1"], NAME)
    assert words == {"127.0.0.1": Word(error=f"no answer on port {port}: ConnectError")}


def test_a_server_that_never_answers_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        words = HttpProbe(port, deadline_seconds=0.2)(["127.0.0.1"], NAME)
    assert words == {"127.0.0.1": Word(error=f"no answer on port {port} within 0.2 s")}


def test_all_pods_are_asked_at_once() -> None:
    addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    everybody_is_here = Barrier(len(addresses), timeout=10)
    body = {"parameters": {"version": "2"}}
    with server(200, json.dumps(body).encode(), [], {}, before=everybody_is_here.wait) as port:
        words = HttpProbe(port, deadline_seconds=10)(addresses, NAME)
    assert words == dict.fromkeys(addresses, Word(version="2"))
