"""values.yaml is whole: every value has a sentence, a schema entry and an effect; nonsense is refused by name."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, DIGEST, ChartError, Manifest, Render, model, run_helm

VALUES_TEXT = (CHART / "values.yaml").read_text()
VALUES: Manifest = yaml.safe_load(VALUES_TEXT)
# A value of the table below that only matters beside another one.
PARENT = {"gateway": {"create": False, "parentRef": {"name": "edge", "namespace": "infra"}}}
NO_DETECTOR = {"driftDetector": {"enabled": False, "url": "http://detector.example:80/"}}
SHARING = {"backend": "native", "redis": {"existingSecret": "leeway-redis"}, "store": {"enabled": False}}
FEEDBACK = {"driftDetector": {"feedback": {"route": {"enabled": True}}}}
MAIL = {"to": "ml@example.com", "from": "leeway@example.com", "smarthost": "smtp.example.com:587"}
TOLD = {"monitoring": {"alertmanagerConfig": {"email": {**MAIL, "username": "leeway", "existingSecret": "smtp"}}}}
SLACK = {"monitoring": {"alertmanagerConfig": {"slack": {"existingSecret": "leeway-slack"}}}}

# Each value's path, with another value than the default and what must stand beside it to be seen.
OTHERWISE: dict[str, tuple[Any, Manifest]] = {
    "models": ({"fares": model()}, {}),
    "modelDefaults.model.resources": ({"requests": {"cpu": "2"}}, {}),
    "modelDefaults.model.env": ({"OMP_NUM_THREADS": "1"}, {}),
    "modelDefaults.timeout": ("5s", {}),
    "modelDefaults.capture": ({"mode": "direct"}, {}),
    "modelDefaults.scaling": ({"minReplicas": 2}, {}),
    "modelDefaults.strategy": ({"onRevert": "Canary"}, {}),
    "modelDefaults.team": ("fraud", {}),
    "modelDefaults.slo": ({"availability": 0.99}, {}),
    "modelDefaults.paused": (True, {}),
    "modelDefaults.testRequest": ({"inputs": []}, {}),
    "logs.level": ("debug", {}),
    "logs.levels": ({"operator": "debug"}, {}),
    "tracing.endpoint": ("http://otel:4318", {}),
    "tracing.sampleRatio": (0.5, {"tracing": {"endpoint": "http://otel:4318"}}),
    "images.registry": ("registry.example.com", {}),
    "images.pullPolicy": ("Always", {}),
    "images.onnxServer": ({"tag": "2"}, {}),
    "images.driftDetector": ({"tag": "2"}, {}),
    "images.driftDetectorNative": ({"tag": "2"}, {"driftDetector": {"backend": "native"}}),
    "images.operators": ({"tag": "2"}, {}),
    "imagePullSecrets": (["registry"], {}),
    "servingRuntime.nodeSelector": ({"pool": "models"}, {}),
    "servingRuntime.tolerations": ([{"operator": "Exists"}], {}),
    "operator.enabled": (False, {}),
    "operator.watchNamespace": ("team", {}),
    "operator.replicas": (2, {}),
    "operator.prometheus.url": ("http://prometheus.monitoring.svc:9090", {}),
    "operator.freeze": ("a holiday", {}),
    "operator.protectPredictors": (False, {}),
    "operator.resources": ({"requests": {"cpu": "1"}}, {}),
    "operator.nodeSelector": ({"pool": "platform"}, {}),
    "operator.tolerations": ([{"operator": "Exists"}], {}),
    "driftDetector.enabled": (False, {"driftDetector": {"url": "http://detector.example:80/"}}),
    "driftDetector.url": ("http://other.example:80/", NO_DETECTOR),
    "driftDetector.backend": ("native", {}),
    "driftDetector.window": ({"rows": 500}, {}),
    "driftDetector.lateness": (30, {}),
    "driftDetector.streams": (200, {}),
    "driftDetector.replicas": (2, {"driftDetector": SHARING}),
    "driftDetector.redis.existingSecret": (
        "leeway-redis",
        {"driftDetector": {"backend": "native", "store": {"enabled": False}}},
    ),
    "driftDetector.store.enabled": (False, {}),
    "driftDetector.store.sample": (0.1, {}),
    "driftDetector.store.retention": (86400, {}),
    "driftDetector.store.existingSecret": ("leeway-store", {}),
    "driftDetector.persistence.enabled": (True, {}),
    "driftDetector.persistence.size": ("20Gi", {"driftDetector": {"persistence": {"enabled": True}}}),
    "driftDetector.persistence.storageClassName": ("fast", {"driftDetector": {"persistence": {"enabled": True}}}),
    "driftDetector.feedback.route.enabled": (True, {}),
    "driftDetector.feedback.route.hostnames": (["labels.leeway.internal"], FEEDBACK),
    "driftDetector.resources": ({"requests": {"cpu": "1"}}, {}),
    "driftDetector.nodeSelector": ({"pool": "platform"}, {}),
    "driftDetector.tolerations": ([{"operator": "Exists"}], {}),
    "gateway.create": (False, {"gateway": {"parentRef": {"name": "edge"}}}),
    "gateway.className": ("traefik", {}),
    "gateway.hostname": ("*.example.com", {}),
    "gateway.port": (8443, {}),
    "gateway.allowedNamespaces": (["team"], {}),
    "gateway.infrastructureAnnotations": ({"a": "b"}, {}),
    "gateway.parentRef": ({"name": "other"}, PARENT),
    "gateway.certificate.issuerRef": ({"name": "letsencrypt"}, {}),
    "gateway.certificate.duration": ("24h", {}),
    "gateway.envoy.enabled": (False, {}),
    "gateway.envoy.serviceType": ("NodePort", {}),
    "gateway.envoy.resources": ({"requests": {"cpu": "1"}}, {}),
    "autoscaling.enabled": (False, {}),
    "autoscaling.maxReplicas": (9, {}),
    "autoscaling.targetCPUUtilizationPercentage": (50, {}),
    "autoscaling.targetRequestsInFlight": (4, {}),
    "autoscaling.targetRequestsPerSecond": (50, {}),
    "autoscaling.behavior": ({"scaleDown": {"stabilizationWindowSeconds": 60}}, {}),
    "podDisruptionBudget.enabled": (False, {}),
    "monitoring.labels": ({"release": "prometheus"}, {}),
    "monitoring.podMonitors.enabled": (False, {}),
    "monitoring.podMonitors.interval": ("1s", {}),
    "monitoring.grafana.url": ("https://grafana.example.com", {}),
    "monitoring.rules.enabled": (False, {}),
    "monitoring.rules.runbookURL": ("https://wiki.example.com/runbooks", {}),
    "monitoring.rules.exclude": (["ModelNoTraffic"], {}),
    "monitoring.rules.slo.availability": (0.99, {}),
    "monitoring.rules.slo.latency.threshold": ("1s", {}),
    "monitoring.rules.slo.latency.objective": (0.95, {}),
    "monitoring.rules.slo.minimumFailures": (100, {}),
    "monitoring.rules.errorRatio": (0.5, {}),
    "monitoring.rules.rejectedRatio": (0.5, {}),
    "monitoring.rules.inFlight": (8, {}),
    "monitoring.rules.restarts": (9, {}),
    "monitoring.rules.noTraffic": ("2h", {}),
    "monitoring.rules.certificateDays": (30, {}),
    "monitoring.rules.eventLossRatio": (0.5, {}),
    "monitoring.rules.coverageRatio": (0.5, {}),
    "monitoring.rules.heldTooLong": ("24h", {}),
    "monitoring.dashboards.enabled": (False, {}),
    "monitoring.dashboards.labels": ({"dashboards": "yes"}, {}),
    "monitoring.dashboards.annotations": ({"grafana_folder": "Models"}, {}),
    "monitoring.alertmanagerConfig.enabled": (False, TOLD),
    "monitoring.alertmanagerConfig.slack.existingSecret": ("leeway-slack", TOLD),
    "monitoring.alertmanagerConfig.slack.channel": ("#models", SLACK),
    "monitoring.alertmanagerConfig.slack.severities": ({"critical": {"channel": "#pages"}}, SLACK),
    "monitoring.alertmanagerConfig.email.to": ("other@example.com", TOLD),
    "monitoring.alertmanagerConfig.email.from": ("other@example.com", TOLD),
    "monitoring.alertmanagerConfig.email.smarthost": ("other.example.com:25", TOLD),
    "monitoring.alertmanagerConfig.email.username": ("other", TOLD),
    "monitoring.alertmanagerConfig.email.existingSecret": ("other", TOLD),
    "monitoring.alertmanagerConfig.email.requireTLS": (False, TOLD),
    "monitoring.alertmanagerConfig.email.severities": (["critical"], TOLD),
    "monitoring.alertmanagerConfig.teams": ({"fraud": {"email": {"to": "fraud@example.com"}}}, TOLD),
    "monitoring.alertmanagerConfig.repeatInterval": ({"critical": "1h"}, TOLD),
    "monitoring.alertmanagerConfig.grouping": ({"wait": "5s"}, TOLD),
    "monitoring.alertmanagerConfig.watchdog.existingSecret": ("leeway-heartbeat", TOLD),
    "networkPolicy.enabled": (False, {}),
    "networkPolicy.gatewayNamespace": ("traefik", {}),
    "networkPolicy.platformNamespace": ("platform", {}),
    "networkPolicy.metricsNamespace": ("monitoring", {}),
    "networkPolicy.apiServerPorts": ([16443], {}),
    "networkPolicy.prometheusPorts": ([10902], {"operator": {"prometheus": {"url": "http://thanos.example:10902"}}}),
    "networkPolicy.storePorts": ([3306], {"driftDetector": {"store": {"existingSecret": "leeway-store"}}}),
    "networkPolicy.redisPorts": ([6380], {"driftDetector": SHARING}),
    "networkPolicy.tracingPorts": ([8080], {"tracing": {"endpoint": "http://otel:8080"}}),
    "kserve.namespace": ("kubeflow", {}),
    "crds.install": (False, {}),
    "prerequisites.check": (False, {}),  # tests/chart/test_prerequisites.py
    "helmTest.enabled": (False, {}),
    "helmTest.caSecret": ("ca", {}),
    "helmTest.address": ("10.0.0.1", {}),
    "helmTest.verify": (False, {"operator": {"prometheus": {"url": "http://prometheus.monitoring.svc:9090"}}}),
}


def merged(*parts: Manifest) -> Manifest:
    """Deep merge, the later part wins."""
    whole: Manifest = {}
    for part in parts:
        for key, value in part.items():
            both = isinstance(value, dict) and isinstance(whole.get(key), dict)
            whole[key] = merged(whole[key], value) if both else value
    return whole


def at(path: str, value: Any) -> Manifest:
    """`{a: {b: value}}` for `a.b`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    nested: Manifest = value
    return nested


def documented() -> Iterator[tuple[str, list[str]]]:
    """Every value of values.yaml that a comment stands above, as its path and the comment's lines."""
    keys: list[str] = []
    comment: list[str] = []
    for line in VALUES_TEXT.splitlines():
        if entry := re.match(r"( *)([A-Za-z]+):", line):
            keys = [*keys[: len(entry[1]) // 2], entry[2]]
            if comment:
                yield ".".join(keys), comment
            comment = []
        elif line.lstrip().startswith("#"):
            comment.append(line.lstrip("# "))
        else:
            comment = []


def leaves(values: Manifest, prefix: str = "") -> Iterator[str]:
    """Paths of the values: a documented mapping is one value, whatever its keys are."""
    whole = {path for path, _ in documented()}
    for key, value in values.items():
        path = f"{prefix}{key}"
        inside = isinstance(value, dict) and value and (path not in whole or path == "modelDefaults")
        yield from leaves(value, f"{path}.") if inside else [path]


def test_every_value_has_a_sentence() -> None:
    sentences = dict(documented())
    missing = [path for path in leaves(VALUES) if path not in sentences]
    assert not missing
    assert all(re.match(r"[A-Z].+[.:]( |$)", " ".join(lines)) for lines in sentences.values())


def test_the_table_of_other_values_names_every_value() -> None:
    assert sorted(OTHERWISE) == sorted(leaves(VALUES))


@pytest.mark.parametrize("path", [p for p in OTHERWISE if not p.startswith(("prerequisites", "crds"))])
def test_every_value_has_an_effect(render: Render, path: str) -> None:
    value, beside = OTHERWISE[path]
    base = merged({"models": {"flights": model()}}, beside)
    assert render(base).objects != render(merged(base, at(path, value))).objects


REFUSED: dict[str, tuple[Manifest, str]] = {
    "an unknown key": ({"modles": {}}, "modles"),
    "an unknown key of a model": ({"models": {"flights": model(modell={})}}, "modell"),
    "a gate that does not exist": (
        {"models": {"flights": model(strategy={"analysis": {"gates": {"latencies": {}}}})}},
        "latencies",
    ),
    "a model name in capitals": ({"models": {"Flights": model()}}, "Flights"),
    "a model name of 41 letters": ({"models": {"a" * 41: model()}}, "a" * 41),
    "a version that YAML reads as a number": (
        {"models": {"flights": {"model": {"storageUri": "s3://models/flights", "version": 1.0}}}},
        "version",
    ),
    "a version with a space": (
        {"models": {"flights": {"model": {"storageUri": "s3://models/flights", "version": "1 0"}}}},
        "version",
    ),
    "a model without a version": ({"models": {"flights": {"model": {"storageUri": "s3://m"}}}}, "version"),
    "a model without a place": ({"models": {"flights": {"model": {"version": "1"}}}}, "storageUri"),
    "a place without a scheme": (
        {"models": {"flights": {"model": {"storageUri": "models/flights", "version": "1"}}}},
        "storageUri",
    ),
    "a digest that is too short": (
        {"models": {"flights": {"model": {"storageUri": "s3://m", "version": "1", "digest": DIGEST[:-1]}}}},
        "digest",
    ),
    "a variable that the operator sets": (
        {"modelDefaults": {"model": {"env": {"LEEWAY_BUNDLE_DIGEST": "x"}}}},
        "LEEWAY_BUNDLE_DIGEST",
    ),
    "a variable of capture, which the operator sets": (
        {"modelDefaults": {"model": {"env": {"LEEWAY_CAPTURE_URL": "http://elsewhere.example/"}}}},
        "LEEWAY_CAPTURE_URL",
    ),
    "a sample of nothing": ({"modelDefaults": {"capture": {"mode": "direct", "sample": 0}}}, "sample"),
    "a backend that does not exist": ({"driftDetector": {"backend": "evidently"}}, "backend"),
    "a window of half a row": ({"driftDetector": {"window": {"rows": 0.5}}}, "rows"),
    "a retention as a duration": ({"driftDetector": {"store": {"retention": "720h"}}}, "retention"),
    "a wildcard for feedback": (
        {"driftDetector": {"feedback": {"route": {"hostnames": ["*.leeway.internal"]}}}},
        "hostnames",
    ),
    "a variable that is a number": ({"modelDefaults": {"model": {"env": {"THREADS": 1}}}}, "THREADS"),
    "a version among the defaults": ({"modelDefaults": {"model": {"version": "1"}}}, "version"),
    "a weight above 100": (
        {"models": {"flights": model(strategy={"steps": [{"weight": 101}]})}},
        "weight",
    ),
    "a header to match without its value": (
        {"models": {"flights": model(strategy={"match": {"header": "x-cohort"}})}},
        "value",
    ),
    "a header with a colon": (
        {"modelDefaults": {"strategy": {"match": {"header": "x-cohort:", "value": "b"}}}},
        "header",
    ),
    "a Prometheus without a scheme": ({"operator": {"prometheus": {"url": "prometheus:9090"}}}, "url"),
    "no operator at all": ({"operator": {"replicas": 0}}, "replicas"),
    "monitors that may or may not be": ({"monitoring": {"podMonitors": {"enabled": "maybe"}}}, "enabled"),
    "the tag latest": ({"images": {"operators": {"tag": "latest"}}}, "tag"),
    "an issuer without a name": ({"gateway": {"certificate": {"issuerRef": {"kind": "ClusterIssuer"}}}}, "issuerRef"),
    "a quantity that is none": ({"operator": {"resources": {"limits": {"memory": "much"}}}}, "memory"),
}


@pytest.mark.parametrize(("values", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_the_schema_refuses(render: Render, values: Manifest, named: str) -> None:
    with pytest.raises(ChartError, match=rf"(?s)don't meet the specifications of the schema.*{named}"):
        render(values)


def bounds(schema: Manifest, definitions: Manifest, path: str = "strategy") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key below `path` with what its values are held to; of gates only what a key may be."""
    if reference := schema.get("$ref"):
        schema = definitions[reference.rpartition("/")[2]]
    if path.endswith(".gates"):
        return
    held = {
        word: schema[word] for word in ("type", "enum", "minimum", "maximum", "minLength", "maxItems") if word in schema
    }
    if "exclusiveMinimum" in schema:
        held["minimum"] = "above 0"  # a boolean beside the minimum in a CRD, the bound itself in newer JSON Schemas
    yield path, held
    for key, part in schema.get("properties", {}).items():
        yield from bounds(part, definitions, f"{path}.{key}")
    if "items" in schema:
        yield from bounds(schema["items"], definitions, f"{path}[]")


def kind_of_strategy() -> Manifest:
    crd = yaml.safe_load((CHART / "charts/crds/crds/modelrollouts.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    strategy: Manifest = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["strategy"]
    return strategy


def test_a_strategy_in_the_values_is_held_to_what_the_kind_takes() -> None:
    definitions = json.loads((CHART / "values.schema.json").read_text())["$defs"]
    kind = dict(bounds(kind_of_strategy(), {}))
    # Where a step says nothing of shadow, the kind's rule has it at most 99; the schema says so of every step.
    kind["strategy.steps[].weight"]["maximum"] = 99
    for path in ("strategy.analysis.alpha.rollback", "strategy.analysis.alpha.promote"):
        kind[path]["maximum"] = 0.5  # the kind's rule says it
    for path in ("strategy.match.header", "strategy.match.value"):
        kind[path].setdefault("minLength", 1)  # the kind's pattern says it
    assert dict(bounds(definitions["strategy"], definitions)) == kind


def test_the_gates_in_the_values_are_those_of_the_kind() -> None:
    gates = kind_of_strategy()["properties"]["analysis"]["properties"]["gates"]
    definitions = json.loads((CHART / "values.schema.json").read_text())["$defs"]
    known = definitions["gates"]["properties"]
    assert set(known) == set(re.findall(r"'(\w+)'", gates["x-kubernetes-validations"][0]["rule"]))
    named = {name: definitions["gateMargin"] if "$ref" in part else part for name, part in known.items()}
    keys = {key for part in named.values() for key in part["properties"]}
    assert keys == set(gates["additionalProperties"]["properties"])
    margins = [part["properties"]["margin"] for part in named.values() if "margin" in part["properties"]]
    of_kind = gates["additionalProperties"]["properties"]["margin"]
    assert of_kind["exclusiveMaximum"]
    assert {margin["exclusiveMaximum"] for margin in margins} == {of_kind["maximum"]}
    assert not named["dataQuality"]["properties"]


def test_lint_is_content_strictly() -> None:
    assert "0 chart(s) failed" in run_helm("lint", "--strict", str(CHART), values={"models": {"flights": model()}})
