"""What goes over the wire to an API server: paths, verbs, media types."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes.client
import pytest

from leeway_operators.shell import api
from leeway_operators.shell.kube import Cluster

BODY = {"metadata": {"name": "flights", "namespace": "models"}}
ITEM = {"metadata": {"name": "flights", "namespace": "models", "resourceVersion": "7"}}


@dataclass
class ApiServer:
    """Answers with what a test laid down, and keeps what it was asked."""

    answers: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], str | None]] = field(default_factory=list)

    @property
    def last(self) -> tuple[str, str, dict[str, str], str | None]:
        """Method, path, query and media type of the last question."""
        return self.asked[-1]


@pytest.fixture
def server() -> ApiServer:
    return ApiServer()


@pytest.fixture
def cluster(server: ApiServer) -> Iterator[Cluster]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            server.asked.append((self.command, parts.path, query, self.headers["Content-Type"]))
            status, body = server.answers.pop(0)
            # A list is a watch: one JSON document a line.
            lines = [json.dumps(item) for item in body] if isinstance(body, list) else [json.dumps(body)]
            raw = "\n".join([*lines, ""]).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 the base class looks for these

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        configuration = kubernetes.client.Configuration(host=f"http://127.0.0.1:{listening.server_address[1]}")
        configuration.proxy = None
        with kubernetes.client.ApiClient(configuration) as client:
            yield Cluster(client)
        listening.shutdown()
        thread.join()


def test_apply_is_a_server_side_apply_that_refuses_unknown_fields(server: ApiServer, cluster: Cluster) -> None:
    server.answers = [(200, ITEM)]
    cluster.apply(api.ROUTES, BODY)
    method, path, query, media = server.last
    assert (method, media) == ("PATCH", "application/apply-patch+yaml")
    assert path == "/apis/gateway.networking.k8s.io/v1/namespaces/models/httproutes/flights"
    assert query == {"fieldManager": "leeway-operator", "fieldValidation": "Strict", "force": "true"}


def test_a_status_goes_to_its_subresource(server: ApiServer, cluster: Cluster) -> None:
    server.answers = [(200, ITEM)]
    cluster.apply(api.ROLLOUTS, BODY, status=True)
    assert server.last[1] == "/apis/leeway.dev/v1alpha1/namespaces/models/modelrollouts/flights/status"


def test_annotating_merges(server: ApiServer, cluster: Cluster) -> None:
    server.answers = [(200, ITEM)]
    cluster.annotate(api.INFERENCE_SERVICES, "models", "flights-a", {"x": "y"})
    assert server.last[0] == "PATCH"
    assert server.last[3] == "application/merge-patch+json"


def test_a_service_is_applied_and_read_like_every_other_kind(server: ApiServer, cluster: Cluster) -> None:
    service = ITEM | {"spec": {"clusterIP": "None", "neverHeardOf": 1}}
    server.answers = [(200, service), (200, service), (404, {})]
    cluster.apply(api.SERVICES, BODY)
    assert server.last == (
        "PATCH",
        "/api/v1/namespaces/models/services/flights",
        {"fieldManager": "leeway-operator", "fieldValidation": "Strict", "force": "true"},
        "application/apply-patch+yaml",
    )
    assert cluster.get(api.SERVICES, "models", "flights") == service
    assert cluster.get(api.SERVICES, "models", "flights") is None


def test_what_is_not_there_is_none_and_already_deleted(server: ApiServer, cluster: Cluster) -> None:
    server.answers = [(404, {}), (404, {})]
    assert cluster.get(api.DEPLOYMENTS, "models", "flights-a-predictor") is None
    cluster.delete(api.RUNTIMES, "models", "flights-a-0")


def test_what_exists_is_left_as_it_is(server: ApiServer, cluster: Cluster) -> None:
    server.answers = [(409, {})]
    cluster.create(api.EVENTS, BODY)
    assert server.last[:2] == ("POST", "/apis/events.k8s.io/v1/namespaces/models/events")


def test_what_belongs_to_the_cluster_has_no_namespace_and_may_be_kept_from_us(
    server: ApiServer, cluster: Cluster
) -> None:
    server.answers = [(200, ITEM), (403, {})]
    assert cluster.get(api.GATEWAY_CLASSES, None, "envoy") == ITEM
    assert server.last[:2] == ("GET", "/apis/gateway.networking.k8s.io/v1/gatewayclasses/envoy")
    with pytest.raises(api.ForbiddenError, match="gatewayclasses envoy"):
        cluster.get(api.GATEWAY_CLASSES, None, "envoy")


def test_records_are_applied_and_removed(server: ApiServer, cluster: Cluster) -> None:
    server.answers = [(200, ITEM), (200, {}), (404, {})]
    cluster.apply(api.CONFIG_MAPS, BODY)
    method, path, _, media = server.last
    assert (method, media) == ("PATCH", "application/apply-patch+yaml")
    assert path == "/api/v1/namespaces/models/configmaps/flights"
    cluster.delete(api.CONFIG_MAPS, "models", "flights")
    assert server.last[:2] == ("DELETE", "/api/v1/namespaces/models/configmaps/flights")
    cluster.delete(api.CONFIG_MAPS, "models", "flights")


def test_a_status_is_written_only_over_what_was_read(server: ApiServer, cluster: Cluster) -> None:
    server.answers = [(409, {}), (409, {})]
    with pytest.raises(api.StaleError, match="modelrollouts flights has changed since it was read"):
        cluster.apply(api.ROLLOUTS, ITEM, status=True)
    assert server.last[:2] == ("PATCH", "/apis/leeway.dev/v1alpha1/namespaces/models/modelrollouts/flights/status")
    with pytest.raises(kubernetes.client.ApiException):
        cluster.apply(api.ROUTES, BODY)


def test_a_lease_is_written_over_only_if_nobody_was_faster(server: ApiServer, cluster: Cluster) -> None:
    server.answers = [(200, ITEM), (409, {})]
    assert cluster.replace(api.LEASES, ITEM)
    assert server.last[:2] == ("PUT", "/apis/coordination.k8s.io/v1/namespaces/models/leases/flights")
    assert not cluster.replace(api.LEASES, ITEM)


@pytest.mark.parametrize("status", [403, 500])
def test_every_other_answer_is_an_error(server: ApiServer, cluster: Cluster, status: int) -> None:
    server.answers = [(status, {})] * 4
    with pytest.raises((kubernetes.client.ApiException, api.ForbiddenError)):
        cluster.get(api.HPAS, "models", "flights-a-scale")
    with pytest.raises(kubernetes.client.ApiException):
        cluster.create(api.EVENTS, BODY)
    with pytest.raises(kubernetes.client.ApiException):
        cluster.delete(api.RUNTIMES, "models", "flights-a-0")


def test_pods_are_read_as_they_are(server: ApiServer, cluster: Cluster) -> None:
    pod = {"metadata": {"name": "p"}, "status": {"podIP": "10.0.0.1", "neverHeardOf": 1}}
    server.answers = [(200, {"items": [pod]})]
    assert cluster.list(api.PODS, "models", "leeway.dev/model=flights") == [pod]
    assert server.last[1:3] == ("/api/v1/namespaces/models/pods", {"labelSelector": "leeway.dev/model=flights"})


@pytest.mark.parametrize(
    ("namespace", "path"),
    [
        (None, "/apis/leeway.dev/v1alpha1/modelrollouts"),
        ("models", "/apis/leeway.dev/v1alpha1/namespaces/models/modelrollouts"),
    ],
)
def test_a_watch_lists_says_so_and_goes_on_from_there(
    server: ApiServer, cluster: Cluster, namespace: str | None, path: str
) -> None:
    changed = {"metadata": {"name": "flights", "namespace": "models", "resourceVersion": "8"}}
    listed = {"items": [ITEM], "metadata": {"resourceVersion": "7"}}
    server.answers = [(200, listed), (200, [{"type": "MODIFIED", "object": changed}])]
    assert list(cluster.watch(api.ROLLOUTS, namespace, "", 1)) == [ITEM, None, changed]
    assert [question[1] for question in server.asked[:2]] == [path, path]
    assert server.asked[1][2]["resourceVersion"] == "7"
    assert server.asked[1][2]["timeoutSeconds"] == "1"
