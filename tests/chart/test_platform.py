"""The operator and the drift detector: how they run, what they may do and who may reach them."""

import pytest
import yaml

from chart.rendering import ROOT, ChartError, Manifest, Render, model

NO_DETECTOR = {"driftDetector": {"enabled": False}}


def operator_arguments(render: Render, values: Manifest | None = None, **where: str) -> list[str]:
    spec = render(values, **where).one("Deployment", "leeway-operator")["spec"]["template"]["spec"]
    arguments: list[str] = spec["containers"][0]["args"]
    return arguments


def test_the_operator_sends_events_to_the_detector_of_its_release(render: Render) -> None:
    assert operator_arguments(render, namespace="platform") == [
        "--sink-url=http://leeway-drift-detector.platform.svc.cluster.local:80/",
        "--detector-url=http://leeway-drift-detector.platform.svc.cluster.local:80/",
        "--leader-elect",
        "--deployment=leeway-operator",
        "--metrics-port=8082",
        "--health-port=8081",
    ]
    service = render(namespace="platform").one("Service")
    assert service["metadata"]["name"] == "leeway-drift-detector"
    assert service["metadata"]["namespace"] == "platform"
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]


def test_the_service_selects_the_detector(render: Render) -> None:
    rendered = render()
    pod = rendered.one("Deployment", "leeway-drift-detector")["spec"]["template"]
    selector = rendered.one("Service")["spec"]["selector"]
    assert selector.items() <= pod["metadata"]["labels"].items()
    other = rendered.one("Deployment", "leeway-operator")["spec"]["template"]["metadata"]["labels"]
    assert not selector.items() <= other.items()


def test_an_operator_without_a_detector_is_told_one(render: Render) -> None:
    with pytest.raises(ChartError, match=r"driftDetector\.url"):
        render(NO_DETECTOR)
    values = {"driftDetector": {"enabled": False, "url": "http://detector.example:80/"}}
    assert operator_arguments(render, values)[:2] == [
        "--sink-url=http://detector.example:80/",
        "--detector-url=http://detector.example:80/",
    ]
    assert not render(values).all("Service")


@pytest.mark.parametrize("name", ["leeway-operator", "leeway-drift-detector"])
def test_a_deployment_selects_its_own_pods(render: Render, name: str) -> None:
    spec = render().one("Deployment", name)["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_there_is_one_detector_at_a_time(render: Render) -> None:
    spec = render().one("Deployment", "leeway-drift-detector")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_an_operator_that_takes_over_is_there_before_the_old_one_goes(render: Render) -> None:
    spec = render().one("Deployment", "leeway-operator")["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert "--leader-elect" in operator_arguments(render)


def test_several_operators_are_spread_and_outlive_a_node_drain(render: Render) -> None:
    rendered = render({"operator": {"replicas": 2}})
    spec = rendered.one("Deployment", "leeway-operator")["spec"]
    assert spec["replicas"] == 2
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    budget = rendered.one("PodDisruptionBudget", "leeway-operator")["spec"]
    assert budget["maxUnavailable"] == 1
    assert spread["labelSelector"] == budget["selector"] == spec["selector"]
    alone = render()
    assert not alone.all("PodDisruptionBudget")
    assert "topologySpreadConstraints" not in alone.one("Deployment", "leeway-operator")["spec"]["template"]["spec"]


def test_the_operator_is_told_of_a_prometheus_and_reaches_it_only_if_it_is_given_one(render: Render) -> None:
    assert not [argument for argument in operator_arguments(render) if argument.startswith("--prometheus-url")]
    values = {
        "operator": {"prometheus": {"url": "http://thanos.example:10902"}},
        "networkPolicy": {"prometheusPorts": [10902]},
    }
    assert "--prometheus-url=http://thanos.example:10902" in operator_arguments(render, values)
    assert egress_ports(render, values) == [*egress_ports(render), [10902]]


def test_a_freeze_says_why(render: Render) -> None:
    assert not [argument for argument in operator_arguments(render) if argument.startswith("--freeze")]
    reason = 'year\'s end: "nothing" moves'
    assert f"--freeze={reason}" in operator_arguments(render, {"operator": {"freeze": reason}})


def test_the_detector_has_no_token(render: Render) -> None:
    rendered = render()
    assert rendered.one("ServiceAccount", "leeway-drift-detector")["automountServiceAccountToken"] is False
    spec = rendered.one("Deployment", "leeway-drift-detector")["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False


def test_the_operator_may_do_what_its_code_needs_and_no_more(render: Render) -> None:
    needed = yaml.safe_load((ROOT / "operators" / "rbac.yaml").read_text())
    assert render().one("ClusterRole")["rules"] == needed


def test_an_operator_of_one_namespace_has_rights_there_only(render: Render) -> None:
    rendered = render({"operator": {"watchNamespace": "team"}}, namespace="platform")
    assert not rendered.all("ClusterRole")
    assert not rendered.all("ClusterRoleBinding")
    role, binding = rendered.one("Role"), rendered.one("RoleBinding")
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "team"
    assert role["rules"] == render().one("ClusterRole")["rules"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"][0]["namespace"] == "platform"
    assert "--namespace=team" in operator_arguments(
        render, {"operator": {"watchNamespace": "team"}}, namespace="platform"
    )
    policy = rendered.one("ValidatingAdmissionPolicy")["spec"]["matchConstraints"]
    assert policy["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "team"}}


def test_a_release_of_models_alone_has_no_platform(render: Render) -> None:
    values: Manifest = {
        "models": {"flights": model(hostnames=["flights.example.com"])},
        "operator": {"enabled": False},
        "gateway": {"create": False, "parentRef": {"name": "leeway", "namespace": "leeway"}},
        **NO_DETECTOR,
    }
    rendered = render(values, release="flights", namespace="team")
    assert not [o for o in rendered.objects if o["kind"] in {"Deployment", "Service", "ClusterRole", "Gateway"}]
    assert not rendered.all("ValidatingAdmissionPolicy")
    assert rendered.one("ModelRollout")


def test_a_predictors_pod_template_is_kserves_alone(render: Render) -> None:
    rendered = render({"kserve": {"namespace": "serving"}})
    policy = rendered.one("ValidatingAdmissionPolicy")
    spec = policy["spec"]
    assert spec["matchConstraints"]["resourceRules"] == [
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}
    ]
    keys = {part["key"] for part in spec["matchConstraints"]["objectSelector"]["matchExpressions"]}
    assert keys == {"leeway.dev/model", "serving.kserve.io/inferenceservice"}
    (validation,) = spec["validations"]
    assert "startsWith('system:serviceaccount:serving:')" in validation["expression"]
    assert "object.spec.template == oldObject.spec.template" in validation["expression"]
    binding = rendered.one("ValidatingAdmissionPolicyBinding")["spec"]
    assert binding == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}


def test_only_model_servers_and_the_operator_send_to_the_detector(render: Render) -> None:
    spec = render().one("NetworkPolicy", "leeway-drift-detector")["spec"]
    events, metrics = spec["ingress"]
    model_pods, operator = events["from"]
    assert model_pods["podSelector"]["matchExpressions"] == [{"key": "leeway.dev/model", "operator": "Exists"}]
    # Also that of another release, which was given this detector's address.
    assert operator["namespaceSelector"] == {}
    pod = render(release="other").one("Deployment", "other-leeway-operator")["spec"]["template"]
    assert operator["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    detector = render().one("Deployment", "leeway-drift-detector")["spec"]["template"]
    assert not operator["podSelector"]["matchLabels"].items() <= detector["metadata"]["labels"].items()
    assert events["ports"] == [{"port": 8080, "protocol": "TCP"}]
    assert metrics["ports"] == [{"port": 8082, "protocol": "TCP"}]


def egress_ports(render: Render, values: Manifest | None = None) -> list[list[int]]:
    rules = render(values).one("NetworkPolicy", "leeway-operator")["spec"]["egress"]
    return [[port["port"] for port in rule["ports"]] for rule in rules]


def test_the_operator_reaches_names_api_server_models_and_detector(render: Render) -> None:
    values = {"networkPolicy": {"apiServerPorts": [16443]}}
    assert egress_ports(render, values) == [[53, 53], [16443], [8080], [8080]]


def test_an_operator_reaches_a_detector_of_another_release(render: Render) -> None:
    values = {"driftDetector": {"enabled": False, "url": "http://leeway-drift-detector.platform.svc:80/"}}
    *_, (peer,) = (rule["to"] for rule in render(values).one("NetworkPolicy", "leeway-operator")["spec"]["egress"][2:])
    assert peer["namespaceSelector"] == {}
    pod = render().one("Deployment", "leeway-drift-detector")["spec"]["template"]
    assert peer["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("release", "name"),
    [("leeway", "leeway"), ("my-leeway", "my-leeway"), ("flights", "flights-leeway"), ("r" * 53, "r" * 40)],
)
def test_names_come_from_the_release_and_stay_short(render: Render, release: str, name: str) -> None:
    rendered = render({"models": {"m" * 40: model(hostnames=["m.leeway.internal"])}}, release=release)
    assert rendered.one("Service")["metadata"]["name"] == f"{name}-drift-detector"
    # 63 is the limit of a label and of a Service, and the longest that KServe makes of ours is <model>-a-predictor.
    assert all(len(o["metadata"]["name"]) <= 63 for o in rendered.objects if not o["metadata"]["name"].count("."))
