"""What `kubectl leeway` sends to an API server."""

import getpass
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import kubernetes.client
import pytest

from leeway_operators.cli.cluster import KubernetesCluster
from leeway_operators.cli.main import arguments, run
from leeway_operators.cli.session import Session
from tests.rollouts import NOW

ROLLOUT = {"metadata": {"name": "flights", "namespace": "models", "resourceVersion": "7"}}
PATH = "/apis/leeway.dev/v1alpha1/namespaces/models/modelrollouts/flights"


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: str
    media: str | None
    body: Any


@dataclass
class ApiServer:
    """Answers with what a test laid down, and keeps what it was asked."""

    answers: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    client: kubernetes.client.ApiClient = field(init=False)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"] or 0))
            parts, sent = urlsplit(self.path), json.loads(raw or "null")
            server.asked.append(Asked(self.command, parts.path, parts.query, self.headers["Content-Type"], sent))
            status, body = server.answers.pop(0)
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815 the base class looks for these

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        configuration = kubernetes.client.Configuration(host=f"http://127.0.0.1:{listening.server_address[1]}")
        configuration.proxy = None
        configuration.retries = 0
        with kubernetes.client.ApiClient(configuration) as server.client:
            yield server
        listening.shutdown()
        thread.join()


def test_a_command_is_a_merge_patch_of_one_annotation_under_its_own_name(server: ApiServer) -> None:
    server.answers = [(200, ROLLOUT)]
    assert KubernetesCluster(server.client).annotate(ROLLOUT, {"leeway.dev/command": "{}"})
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.media) == ("PATCH", PATH, "application/merge-patch+json")
    assert asked.query == "fieldManager=kubectl-leeway"
    assert asked.body == {"metadata": {"annotations": {"leeway.dev/command": "{}"}, "resourceVersion": "7"}}


def test_a_rollout_that_has_changed_since_is_not_written(server: ApiServer) -> None:
    server.answers = [(409, {"reason": "Conflict"})]
    assert not KubernetesCluster(server.client).annotate(ROLLOUT, {"x": "y"})


def test_what_is_not_there_is_none(server: ApiServer) -> None:
    server.answers = [(404, {}), (404, {})]
    cluster = KubernetesCluster(server.client)
    assert cluster.rollout("models", "flights") is None
    assert cluster.record("models", "flights-rollout-1") is None
    assert server.asked[1].path == "/api/v1/namespaces/models/configmaps/flights-rollout-1"


def test_what_is_there(server: ApiServer) -> None:
    server.answers = [(200, ROLLOUT), (200, {"data": {"record.md": "# flights"}}), (200, {"items": [ROLLOUT]})]
    cluster = KubernetesCluster(server.client)
    assert cluster.rollout("models", "flights") == ROLLOUT
    assert cluster.record("models", "flights-rollout-1") == {"record.md": "# flights"}
    assert cluster.rollouts(None) == [ROLLOUT]
    assert server.asked[2].path == "/apis/leeway.dev/v1alpha1/modelrollouts"


def test_who_asks_is_whom_the_server_knows(server: ApiServer) -> None:
    server.answers = [(201, {"status": {"userInfo": {"username": "mia@example.org"}}}), (403, {})]
    cluster = KubernetesCluster(server.client)
    assert cluster.user() == "mia@example.org"
    assert server.asked[0].path == "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    assert server.asked[0].body["kind"] == "SelfSubjectReview"
    assert cluster.user() == getpass.getuser()


def status(client: kubernetes.client.ApiClient) -> int:
    """Exit code of `kubectl leeway status`."""
    session = Session(
        cluster=KubernetesCluster(client),
        namespace="models",
        now=lambda: NOW,
        sleep=lambda _: None,
        say=lambda _: None,
        identity=str,
    )
    return run(arguments().parse_args(["status"]), session)


def test_a_server_that_refuses_or_is_not_there_is_one_sentence(
    server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [(403, {"reason": "Forbidden"})]
    assert status(server.client) == 1
    assert capsys.readouterr().err == "the API server answered 403 Forbidden\n"
    server.client.configuration.host = "http://127.0.0.1:1"
    assert status(server.client) == 1
    assert "the API server cannot be reached" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_ends_it_without_a_word() -> None:
    lines = "from leeway_operators.cli.main import say\nfor _ in range(10_000): say('flights  1.0.0  Stable')"
    with subprocess.Popen([sys.executable, "-c", lines], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as asked:
        assert asked.stdout is not None
        assert asked.stderr is not None
        asked.stdout.readline()
        asked.stdout.close()
        assert asked.stderr.read() == b""
    assert asked.returncode == 0
