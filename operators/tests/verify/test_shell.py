"""What is asked of Prometheus and of the API server, and what becomes of answers that are none."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import httpx
import kubernetes.client as k8s
import pytest
import urllib3

from leeway_operators.shell.source import SourceError
from leeway_operators.verify.core.faults import Create, Delete, Scale
from leeway_operators.verify.core.finding import Finding
from leeway_operators.verify.shell.cluster import Cluster, RefusedError
from leeway_operators.verify.shell.main import patient
from leeway_operators.verify.shell.prometheus import Direct, HttpPrometheus
from leeway_operators.verify.shell.proxy import Proxied, service_path
from leeway_operators.verify.shell.world import InjectionError, Posted, RealWorld, Routed

Answers = Mapping[str, Any]
URL = "http://prometheus.monitoring.svc:9090"


def asked(answers: Answers) -> tuple[HttpPrometheus, list[str]]:
    """A Prometheus with one answer per path, and what it was asked."""
    questions: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        questions.append(f"{request.url.path}?{request.url.query.decode()}")
        if request.url.path not in answers:
            return httpx.Response(404)
        return httpx.Response(200, json=answers[request.url.path])

    return HttpPrometheus(URL, Direct(httpx.MockTransport(handle))), questions


def success(data: Any) -> dict[str, Any]:
    return {"status": "success", "data": data}


def test_series_are_counted_now() -> None:
    vector = success({"resultType": "vector", "result": [{"metric": {}, "value": [1.0, "7"]}]})
    live, questions = asked({"/api/v1/query": vector})
    assert live.count('x{a="b"}') == 7
    assert questions == ["/api/v1/query?query=count%28x%7Ba%3D%22b%22%7D%29"]
    nothing, _ = asked({"/api/v1/query": success({"resultType": "vector", "result": []})})
    assert nothing.count("x") == 0


def test_only_a_family_that_is_declared_is_asked_after_by_target() -> None:
    target = {"target": {"job": "models/server"}, "type": "counter"}
    live, questions = asked(
        {"/api/v1/metadata": success({"x": [{"type": "counter"}]}), "/api/v1/targets/metadata": success([target])}
    )
    assert live.declarers("y") == ()
    assert live.declarers("x") == ["models/server"]
    assert [question.partition("?")[0] for question in questions] == ["/api/v1/metadata", "/api/v1/targets/metadata"]


def test_alertmanagers_are_told_by_their_base() -> None:
    active = [{"url": "http://10.0.0.9:9093/prefix/api/v2/alerts"}]
    live, _ = asked(
        {
            "/api/v1/alertmanagers": success({"activeAlertmanagers": active}),
            "/prefix/api/v2/status": {"config": {"original": "receivers: []"}},
        }
    )
    (one,) = live.alertmanagers()
    assert one == "http://10.0.0.9:9093/prefix"
    assert live.configuration(one) == "receivers: []"
    assert live.configuration("http://10.0.0.9:9999/elsewhere") is None


@pytest.mark.parametrize("answer", [{"status": "error"}, success([]), {"hello": "world"}])
def test_what_is_no_prometheus_is_said_so(answer: Any) -> None:
    live, _ = asked({"/api/v1/rules": answer})
    with pytest.raises(SourceError, match="is the URL right"):
        live.groups()


def cluster(answers: Callable[[str], tuple[int, Any]]) -> tuple[Cluster, list[str]]:
    """An API server behind the official client."""
    questions: list[str] = []

    class Answer:
        def __init__(self, url: str) -> None:
            self.status, self._body = answers(url)
            self.reason = "Because"

        def read(self) -> bytes:
            return json.dumps(self._body).encode()

    class Client:
        def param_serialize(self, **of: Any) -> tuple[str, str]:
            query = "&".join(f"{key}={value}" for key, value in of["query_params"])
            return of["method"], f"{of['resource_path']}{'?' if query else ''}{query}"

        def call_api(self, method: str, url: str, **_: Any) -> Answer:
            questions.append(f"{method} {url}")
            return Answer(url)

    return Cluster(cast("k8s.ApiClient", Client())), questions


LISTED = {"items": [{"metadata": {"name": "x", "namespace": "models", "labels": {"team": "a"}}}]}


def test_kinds_that_the_cluster_does_not_have_are_left_out_and_refused_ones_are_told() -> None:
    def answers(url: str) -> tuple[int, Any]:
        if "podmonitors" in url:
            return 200, LISTED
        if "prometheusrules" in url:
            return 403, {"message": "prometheusrules is forbidden"}
        if url == "/api/v1/namespaces/models":
            return 200, LISTED["items"][0]
        return 404, {}

    reads, questions = cluster(answers)
    found = reads.inventory("models", "part-of=leeway")
    assert [one["kind"] for one in found.of("PodMonitor", "AlertmanagerConfig")] == ["PodMonitor"]
    assert found.refused == {"PrometheusRule": "prometheusrules is forbidden"}
    assert found.namespaces == {"models": {"team": "a"}}
    assert all(question.startswith("GET ") for question in questions)
    assert "GET /api/v1/namespaces/models/configmaps?labelSelector=part-of=leeway" in questions


def test_any_other_answer_of_the_api_server_is_raised() -> None:
    reads, _ = cluster(lambda _: (500, {"message": "etcd"}))
    with pytest.raises(k8s.ApiException, match="500"):
        reads.inventory("models", "part-of=leeway")
    refusing, _ = cluster(lambda _: (403, {"message": "no"}))
    with pytest.raises(RefusedError, match="no"):
        refusing.get("/api/v1/namespaces/models")


def test_the_prometheus_is_the_one_that_the_operator_asks() -> None:
    containers = [{"args": ["--leader-elect", f"--prometheus-url={URL}"]}]
    operator = {"spec": {"template": {"spec": {"containers": containers}}}}
    reads, _ = cluster(lambda _: (200, {"items": [operator]}))
    assert reads.prometheus_url("models", "part-of=leeway") == URL
    without, _ = cluster(lambda _: (200, {"items": []}))
    assert without.prometheus_url("models", "part-of=leeway") is None


@pytest.mark.parametrize(
    ("base", "path"),
    [
        (URL, "/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy"),
        ("https://p.m.svc.cluster.local/a/", "/api/v1/namespaces/m/services/https:p:443/proxy/a"),
        ("https://prometheus.example.com", None),
        ("http://10.0.0.9:9093", None),
    ],
)
def test_a_services_name_is_reached_through_the_api_server(base: str, path: str | None) -> None:
    assert service_path(base) == path


def test_a_pods_address_is_reached_as_the_pod() -> None:
    pod = {"items": [{"metadata": {"name": "alertmanager-0", "namespace": "monitoring"}}]}
    reads, questions = cluster(lambda url: (200, pod if url.startswith("/api/v1/pods") else {"config": {}}))
    around = Proxied(reads)
    assert around("http://10.0.0.9:9093", "api/v2/status", {}) == {"config": {}}
    assert questions == [
        "GET /api/v1/pods?fieldSelector=status.podIP=10.0.0.9",
        "GET /api/v1/namespaces/monitoring/pods/http:alertmanager-0:9093/proxy/api/v2/status",
    ]
    nowhere, _ = cluster(lambda _: (200, {"items": []}))
    with pytest.raises(SourceError, match="neither a Service"):
        Proxied(nowhere)("http://10.0.0.9:9093", "api/v2/status", {})


def test_a_way_that_is_refused_or_broken_is_told() -> None:
    refusing, _ = cluster(lambda _: (403, {"message": "services/proxy is forbidden"}))
    with pytest.raises(SourceError, match="services/proxy is forbidden"):
        Proxied(refusing)(URL, "api/v1/rules", {})
    broken, _ = cluster(lambda _: (503, {"message": "no endpoints"}))
    with pytest.raises(SourceError, match="503"):
        Proxied(broken)(URL, "api/v1/rules", {})


@pytest.mark.parametrize(("seconds", "looks"), [(0.0, 1), (25.0, 3), (60.0, 4)])
def test_what_is_missing_is_looked_for_again_for_as_long_as_is_asked(seconds: float, looks: int) -> None:
    gap, none = (
        [Finding(kind="target", what="t", verdict="missing", why="it is down")],
        [Finding(kind="target", what="t", verdict="found")],
    )
    answers = [gap, gap, gap, none]
    slept: list[float] = []
    told: list[str] = []
    found = patient(lambda: answers.pop(0), seconds, told.append, monotonic=lambda: sum(slept), sleep=slept.append)
    assert len(slept) == looks - 1
    assert told == [
        f"1 missing, as t (it is down); looking again for {seconds - 10 * n:.0f} s at most" for n in range(looks - 1)
    ]
    assert found == (none if looks == 4 else gap)


class Changing:
    """An API server of one Deployment and the PodMonitors, which remembers what it was told."""

    def __init__(self, replicas: int = 2) -> None:
        self.replicas = replicas
        self.monitors: dict[str, Any] = {}
        self.lost = 0

    def cluster(self) -> Cluster:
        changing = self

        class Answer:
            def __init__(self, status: int, body: Any) -> None:
                self.status, self.reason, self._body = status, "Because", body

            def read(self) -> bytes:
                return json.dumps(self._body).encode()

        class Client:
            def param_serialize(self, **of: Any) -> tuple[str, str, Any]:
                return of["method"], of["resource_path"], of.get("body")

            def call_api(self, method: str, path: str, body: Any, **_: Any) -> Answer:
                return Answer(*changing.answer(method, path, body))

        return Cluster(cast("k8s.ApiClient", Client()))

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        name = path.rpartition("/")[2]
        match method:
            case "PATCH" if self.lost:
                self.lost -= 1
                raise urllib3.exceptions.ProtocolError("the connection was lost")
            case "PATCH":
                self.replicas = body["spec"]["replicas"]
                return 200, {}
            case "POST":
                taken = body["metadata"]["name"] in self.monitors
                self.monitors.setdefault(body["metadata"]["name"], body)
                return (409 if taken else 201), {}
            case "DELETE":
                return 200, self.monitors.pop(name, {})
        return 200, self.monitors.get(name, {"spec": {"replicas": self.replicas}})


def world(api: Changing, inbox: Callable[[], list[str]] = list) -> RealWorld:
    live, _ = asked({"/api/v1/alerts": success({"alerts": []})})
    return RealWorld(api.cluster(), live, inbox, lambda _: None)


def test_a_deployment_gets_its_replicas_back_also_when_the_connection_is_lost_for_a_moment() -> None:
    api = Changing(replicas=2)
    undo = world(api).change(Scale("models", "operator"))
    assert (api.replicas, undo) == (0, Scale("models", "operator", 2))
    api.lost = 1
    world(api).change(undo)
    assert api.replicas == 2


def test_a_deployment_without_replicas_and_a_monitor_that_is_there_are_no_faults() -> None:
    with pytest.raises(InjectionError, match="no replicas already"):
        world(Changing(replicas=0)).change(Scale("models", "operator"))
    api, body = Changing(), {"metadata": {"namespace": "models", "name": "leeway-verify"}}
    undo = world(api).change(Create(body))
    assert undo == Delete("models", "leeway-verify")
    with pytest.raises(InjectionError, match="kubectl -n models delete podmonitor leeway-verify"):
        world(api).change(Create(body))
    assert world(api).change(undo) == Create(body)
    assert api.monitors == {}


def test_messages_are_those_of_the_stub_or_what_alertmanager_routes() -> None:
    slack = {"by": "webhook", "body": {"attachments": [{"title": "[FIRING:1] A", "text": "It is so."}]}}
    mail = {"by": "email", "subject": "[RESOLVED] A", "text": "It was so."}
    took = Posted("http://stub", lambda _: ["text", slack, mail, {"other": 1}])()
    assert took == ["text", "[FIRING:1] A: It is so.", "[RESOLVED] A: It was so.", '{"other": 1}']
    with pytest.raises(SourceError, match="no list"):
        Posted("http://stub", lambda _: {})()
    alert = {
        "fingerprint": "f",
        "status": {"state": "active"},
        "labels": {"alertname": "DetectorDown"},
        "annotations": {"description": "No detector."},
        "receivers": [{"name": "models/leeway/slack"}],
    }
    active = [{"url": "http://10.0.0.9:9093/api/v2/alerts"}]
    live, _ = asked({"/api/v1/alertmanagers": success({"activeAlertmanagers": active})})
    answers = [[], [alert, {**alert, "fingerprint": "g", "status": {"state": "suppressed"}}], []]
    routed = Routed(live, lambda *_: answers.pop(0))
    line = "DetectorDown to models/leeway/slack: No detector."
    assert [list(routed()) for _ in range(3)] == [[], [f"FIRING {line}"], [f"FIRING {line}", f"RESOLVED {line}"]]


def test_an_inbox_that_does_not_answer_for_a_moment_forgets_nothing() -> None:
    answers: list[Any] = [["first"], SourceError("gone")]

    def inbox() -> list[str]:
        answer = answers.pop(0)
        if isinstance(answer, SourceError):
            raise answer
        return cast("list[str]", answer)

    real = world(Changing(), inbox)
    assert [list(real.told()), list(real.told())] == [["first"], ["first"]]


def test_only_alerts_that_fire_count() -> None:
    alerts = [{"labels": {"alertname": name}, "state": name} for name in ("pending", "firing")]
    live, _ = asked({"/api/v1/alerts": success({"alerts": alerts})})
    assert live.firing() == [{"alertname": "firing"}]


def test_the_pod_of_helm_test_has_the_rights_for_what_is_read_and_no_others() -> None:
    template = Path(__file__).resolve().parents[3] / "charts/leeway/templates/tests/verify.yaml"
    granted = {
        resource.strip()
        for resources in re.findall(r"resources: \[(.*?)\]", template.read_text())
        for resource in resources.split(",")
    }
    reads, questions = cluster(lambda url: (200, {"metadata": {}} if url.endswith("/namespaces/models") else LISTED))
    reads.inventory("models", "part-of=leeway")
    paths = [question.removeprefix("GET ").partition("?")[0].split("/") for question in questions]
    asked_for = {"namespaces" if path[-2:] == ["namespaces", "models"] else path[-1] for path in paths}
    assert asked_for == granted
