"""The drift detector: what it is configured with, where it keeps things, and who may send it labels."""

import json

import pytest

from chart.rendering import ROOT, VERSION, ChartError, Manifest, Render, Rendered, model

FEEDBACK: Manifest = {"driftDetector": {"feedback": {"route": {"enabled": True}}}}
NAME = "leeway-drift-detector"


def pod(rendered: Rendered) -> Manifest:
    template: Manifest = rendered.one("Deployment", NAME)["spec"]["template"]
    return template


def container(rendered: Rendered) -> Manifest:
    (only,) = pod(rendered)["spec"]["containers"]
    found: Manifest = only
    return found


def volume(rendered: Rendered, mount: str) -> Manifest:
    (name,) = [entry["name"] for entry in container(rendered)["volumeMounts"] if entry["mountPath"] == mount]
    (found,) = [entry for entry in pod(rendered)["spec"]["volumes"] if entry["name"] == name]
    volume: Manifest = found
    return volume


def policy_ports(rendered: Rendered, direction: str) -> list[list[int]]:
    rules = rendered.one("NetworkPolicy", NAME)["spec"][direction]
    return [[port["port"] for port in rule["ports"]] for rule in rules]


def test_its_configuration_is_a_file_that_it_is_told_to_read(render: Render) -> None:
    rendered = render()
    assert json.loads(rendered.one("ConfigMap", NAME)["data"]["config.json"]) == {
        "backend": "alibi",
        "window": {"rows": None, "seconds": None},
        "lateness": 5,
        "streams": 64,
        "store": {"enabled": True, "sample": 1, "retention": 30 * 24 * 3600},
    }
    assert volume(rendered, "/etc/leeway")["configMap"] == {"name": NAME}
    assert container(rendered)["args"] == [
        "serve",
        "--config=/etc/leeway/config.json",
        "--data-dir=/var/lib/leeway",
        "--port=8080",
        "--metrics-port=8082",
    ]


def test_what_is_set_reaches_the_file_as_the_detector_reads_it(render: Render) -> None:
    values = json.loads((ROOT / "schemas/examples/detector-config.json").read_text())
    assert json.loads(render({"driftDetector": values}).one("ConfigMap", NAME)["data"]["config.json"]) == values


def test_a_changed_configuration_is_a_new_pod_and_an_unchanged_one_is_not(render: Render) -> None:
    def checksum(**values: object) -> str:
        found: str = pod(render({"driftDetector": values}))["metadata"]["annotations"]["checksum/config"]
        return found

    assert checksum(lateness=30) != checksum()
    assert checksum(feedback={"route": {"enabled": True}}) == checksum()


def test_each_backend_has_its_image_and_what_it_needs_unless_told_otherwise(render: Render) -> None:
    alibi, native = (container(render({"driftDetector": {"backend": name}})) for name in ("alibi", "native"))
    assert alibi["image"] == f"docker.io/leeway/drift-detector:{VERSION}"
    assert native["image"] == f"docker.io/leeway/drift-detector-native:{VERSION}"
    assert alibi["resources"]["limits"] == {"memory": "1Gi"}
    assert native["resources"]["limits"] == {"memory": "512Mi"}
    own = {"requests": {"cpu": "2"}}
    assert container(render({"driftDetector": {"resources": own}}))["resources"] == own


def test_a_database_of_ones_own_is_named_by_a_secret_and_reachable(render: Render) -> None:
    assert [entry["name"] for entry in container(render())["env"]] == ["LEEWAY_LOG_LEVEL"]
    assert policy_ports(render(), "egress") == [[53, 53], [8080, 8082]]
    rendered = render({"driftDetector": {"store": {"existingSecret": "leeway-store"}}})
    assert container(rendered)["env"][1:] == [
        {"name": "LEEWAY_STORE_URL", "valueFrom": {"secretKeyRef": {"name": "leeway-store", "key": "url"}}}
    ]
    assert policy_ports(rendered, "egress") == [[53, 53], [8080, 8082], [5432]]


def test_what_it_keeps_is_on_a_volume_only_if_asked(render: Render) -> None:
    assert not render().all("PersistentVolumeClaim")
    assert volume(render(), "/var/lib/leeway")["emptyDir"] == {}
    rendered = render({"driftDetector": {"persistence": {"enabled": True, "storageClassName": "fast"}}})
    claim = rendered.one("PersistentVolumeClaim")
    assert volume(rendered, "/var/lib/leeway")["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert claim["spec"]["resources"] == {"requests": {"storage": "4Gi"}}
    assert claim["spec"]["storageClassName"] == "fast"
    # The volume must be the user's that the container runs as.
    assert pod(rendered)["spec"]["securityContext"]["fsGroup"] == container(rendered)["securityContext"]["runAsGroup"]


def test_the_default_storage_class_is_the_clusters(render: Render) -> None:
    rendered = render({"driftDetector": {"persistence": {"enabled": True}}})
    assert "storageClassName" not in rendered.one("PersistentVolumeClaim")["spec"]


def test_labels_come_in_from_outside_only_if_asked_and_nothing_else_does(render: Render) -> None:
    assert not render().all("HTTPRoute")
    rendered = render(FEEDBACK, namespace="platform")
    spec = rendered.one("HTTPRoute", "leeway-feedback")["spec"]
    (parent,) = spec["parentRefs"]
    assert (parent["name"], parent["namespace"]) == ("leeway", "platform")
    assert spec["hostnames"] == ["feedback.leeway.internal"]
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "Exact", "value": "/v1/feedback"}, "method": "POST"}]
    (backend,) = rule["backendRefs"]
    service = rendered.one("Service")
    assert (backend["name"], backend["port"]) == (service["metadata"]["name"], service["spec"]["ports"][0]["port"])


def test_the_gateway_reaches_the_detector_only_where_labels_come_in(render: Render) -> None:
    def sources(values: Manifest) -> list[Manifest]:
        rules = render(values).one("NetworkPolicy", NAME)["spec"]["ingress"]
        return [peer for rule in rules if rule["ports"][0]["port"] == 8080 for peer in rule["from"]]

    gateway = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "envoy-gateway-system"}}}
    assert gateway not in sources({})
    assert gateway in sources(FEEDBACK)


@pytest.mark.parametrize(
    ("hostnames", "message"),
    [
        (["flights.leeway.internal"], r"flights\.leeway\.internal is a hostname of the model flights"),
        (["labels.example.com"], r"labels\.example\.com is not covered by gateway\.hostname"),
    ],
)
def test_a_hostname_that_labels_would_not_reach_is_refused(render: Render, hostnames: list[str], message: str) -> None:
    route = {"route": {"enabled": True, "hostnames": hostnames}}
    with pytest.raises(ChartError, match=rf"driftDetector\.feedback\.route\.hostnames: {message}"):
        render({"models": {"flights": model()}, "driftDetector": {"feedback": route}})


def test_without_a_wildcard_the_hostname_for_labels_must_be_given(render: Render) -> None:
    with pytest.raises(ChartError, match=r"driftDetector\.feedback\.route\.hostnames: at least one is expected"):
        render(FEEDBACK | {"gateway": {"hostname": "models.example.com"}})


def test_the_route_for_labels_attaches_to_a_gateway_of_ones_own(render: Render) -> None:
    gateway = {"create": False, "parentRef": {"name": "edge", "namespace": "infra"}}
    route = {"route": {"enabled": True, "hostnames": ["labels.example.com"]}}
    spec = render({"gateway": gateway, "driftDetector": {"feedback": route}}).one("HTTPRoute")["spec"]
    assert spec["parentRefs"][0]["name"] == "edge"
    assert spec["parentRefs"][0]["namespace"] == "infra"
    assert spec["hostnames"] == ["labels.example.com"]
