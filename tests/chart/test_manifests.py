"""Every rendered object is one that the API server would take, and every pod one that PodSecurity restricted admits."""

import copy
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from chart.rendering import DIGEST, EVERYTHING, VERSION, Render, model

# From the oldest Kubernetes that the chart installs on to the newest; it is proven on 1.36.
KUBERNETES = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")

EVERY_OPTION: dict[str, Any] = {
    "models": {
        "flights": model(
            model={
                "storageUri": "s3://models/flights/2",
                "version": "2",
                "digest": DIGEST,
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": 2, "nvidia.com/gpu": 1}},
                "env": {
                    "OMP_NUM_THREADS": "1",
                    "TOKEN": {"valueFrom": {"secretKeyRef": {"name": "token", "key": "token", "optional": True}}},
                    "ZONE": {"valueFrom": {"configMapKeyRef": {"name": "zone", "key": "zone"}}},
                },
            },
            hostnames=["a.leeway.internal", "b.leeway.internal"],
            timeout="1m30s",
            capture={"mode": "direct", "sample": 0.5},
            scaling={"minReplicas": 2},
            paused=True,
            autoscaling={
                "maxReplicas": 9,
                "targetCPUUtilizationPercentage": 50,
                "targetRequestsInFlight": 4,
                "targetRequestsPerSecond": 50,
                "behavior": {
                    "scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
                    "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Min"},
                },
            },
            testRequest={"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1.0]}]},
            strategy={
                "steps": [{"shadow": True, "hold": "10m"}, {"weight": 5, "hold": "2m"}, {"weight": 50}],
                "minRequests": 100,
                "analysis": {
                    "interval": "10s",
                    "alpha": {"rollback": 0.01, "promote": 0.05},
                    "deadline": "24h",
                    "onDeadline": "Rollback",
                    "gates": {
                        "errors": {"margin": 0.01},
                        "latency": {"threshold": "50ms", "margin": 0.02},
                        "predictions": {"margin": 0.02},
                        "dataQuality": {},
                        "labels": {"margin": 0.01, "required": True},
                    },
                },
                "approval": {"required": True},
                "probation": {"duration": "24h", "weight": 5},
                "rollbackWindow": "1h",
                "onRevert": "Canary",
            },
        ),
        "fares": {
            "model": {"storageUri": "pvc://models/fares", "version": "1.0"},
            "strategy": {"match": {"header": "x-cohort", "value": "b"}},
        },
    },
    "imagePullSecrets": ["registry"],
    "servingRuntime": {"nodeSelector": {"pool": "models"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]},
    "operator": {
        "watchNamespace": "team",
        "replicas": 2,
        "prometheus": {"url": "http://prometheus.monitoring.svc:9090"},
        "freeze": "year's end: nothing moves",
        "nodeSelector": {"pool": "platform"},
        "tolerations": [{"key": "x", "operator": "Equal", "value": "y", "effect": "NoExecute", "tolerationSeconds": 9}],
    },
    "driftDetector": {
        "backend": "native",
        "window": {"rows": 500, "seconds": 60},
        "lateness": 30,
        "streams": 200,
        "store": {"sample": 0.5, "retention": 86400, "existingSecret": "leeway-store"},
        "persistence": {"enabled": True, "size": "20Gi", "storageClassName": "fast"},
        "feedback": {"route": {"enabled": True, "hostnames": ["labels.leeway.internal"]}},
        "nodeSelector": {"pool": "platform"},
        "tolerations": [{"operator": "Exists"}],
    },
    "gateway": {
        "allowedNamespaces": ["team"],
        "infrastructureAnnotations": {"service.beta.kubernetes.io/aws-load-balancer-type": "external"},
        "certificate": {"issuerRef": {"name": "letsencrypt", "kind": "ClusterIssuer"}},
        "envoy": {"serviceType": "NodePort"},
    },
    "monitoring": {
        "labels": {"release": "kube-prometheus-stack"},
        "podMonitors": {"enabled": True, "interval": "1s"},
        "alertmanagerConfig": {
            "slack": {
                "existingSecret": "leeway-slack",
                "channel": "#models",
                "severities": {"critical": {"existingSecret": "leeway-slack-pages"}},
            },
            "email": {
                "to": "ml@example.com",
                "from": "leeway@example.com",
                "smarthost": "smtp.example.com:587",
                "username": "leeway",
                "existingSecret": "leeway-smtp",
            },
            "teams": {"fraud": {"slack": {"channel": "#fraud"}, "email": {"to": "fraud@example.com"}}},
            "watchdog": {"existingSecret": "leeway-heartbeat"},
        },
    },
    "networkPolicy": {"metricsNamespace": "monitoring", "platformNamespace": "leeway"},
    "helmTest": {"address": "10.0.0.1", "caSecret": "ca"},
}
PLATFORM_ONLY: dict[str, Any] = {}
MODELS_ONLY: dict[str, Any] = {
    "models": {"flights": model(hostnames=["flights.example.com"])},
    "operator": {"enabled": False},
    "driftDetector": {"enabled": False},
    "crds": {"install": False},
    "gateway": {"create": False, "parentRef": {"name": "leeway", "namespace": "leeway"}},
    "networkPolicy": {"platformNamespace": "leeway"},
}
SEVERAL_DETECTORS: dict[str, Any] = {
    "driftDetector": {
        "replicas": 3,
        "backend": "native",
        "redis": {"existingSecret": "leeway-redis"},
        "store": {"existingSecret": "leeway-store"},
    },
}
RELEASES = {
    "defaults": {"models": {"flights": model()}},
    "every option": EVERY_OPTION,
    "platform only": PLATFORM_ONLY,
    "models only": MODELS_ONLY,
    "several detectors": SEVERAL_DETECTORS,
}
releases = pytest.mark.parametrize("values", RELEASES.values(), ids=RELEASES.keys())


def closed(schema: Any) -> Any:
    """The schema as the API server reads it under strict field validation: an unknown field is an error."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        shut.setdefault("additionalProperties", False)
    return shut


def closed_object(schema: dict[str, Any]) -> dict[str, Any]:
    """As `closed`, with the fields that every object has and no CRD lists."""
    shut: dict[str, Any] = closed(copy.deepcopy(schema))
    shut["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
    return shut


@releases
def test_every_object_is_valid(render: Render, crds: dict[tuple[str, str], Any], values: dict[str, Any]) -> None:
    for manifest in render(values, upgrade=True).objects:
        schema = crds.get((manifest["apiVersion"], manifest["kind"]))
        if schema is None:
            for version in KUBERNETES:
                kubernetes_validate.validate(manifest, version, strict=True)
        else:
            # Draft 4 is the draft whose exclusiveMinimum is a boolean, as it is in a CRD.
            jsonschema.Draft4Validator(closed_object(schema)).validate(manifest)


@releases
def test_no_two_objects_share_a_name(render: Render, values: dict[str, Any]) -> None:
    names = [
        (o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"])
        for o in render(values).objects
    ]
    assert len(names) == len(set(names))


@releases
def test_every_pod_meets_pod_security_restricted(render: Render, values: dict[str, Any]) -> None:
    for title, spec in render(values).pod_specs():
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, title
        allowed = {"name", "configMap", "secret", "emptyDir", "persistentVolumeClaim"}
        assert all(volume.keys() <= allowed for volume in spec.get("volumes", [])), title
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, title
            assert context["privileged"] is False, title
            assert context["capabilities"] == {"drop": ["ALL"]}, title
            assert context["readOnlyRootFilesystem"] is True, title
            assert context["runAsNonRoot"] is True, title
            assert context["runAsUser"] == 10001, title
            # A model server keeps the image's group: only so can it read a model through KServe's modelcar sidecar.
            assert context.get("runAsGroup") == (None if title.startswith("ServingRuntime") else 10001), title
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}, title


@releases
def test_every_image_is_named_in_full_and_never_latest(render: Render, values: dict[str, Any]) -> None:
    for title, spec in render(values).pod_specs():
        for container in spec["containers"]:
            registry, _, tag = container["image"].rpartition(":")
            assert registry.startswith("docker.io/leeway/"), title
            assert tag == VERSION, title
            assert container["imagePullPolicy"] == "IfNotPresent", title


@releases
def test_two_releases_share_no_cluster_scoped_name(render: Render, values: dict[str, Any]) -> None:
    cluster_scoped = {"ClusterRole", "ClusterRoleBinding"}
    cluster_scoped |= {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}

    def names(namespace: str) -> set[tuple[str, str]]:
        rendered = render(values, namespace=namespace)
        return {(o["kind"], o["metadata"]["name"]) for o in rendered.objects if o["kind"] in cluster_scoped}

    assert not names("blue") & names("green")


def test_objects_of_a_release_carry_its_labels(render: Render) -> None:
    for manifest in render({"models": {"flights": model()}}, release="mine").objects:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "mine"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"] == f"leeway-{VERSION}"


def test_registry_and_pull_secrets_reach_every_pod(render: Render) -> None:
    values = {
        "models": {"flights": model()},
        "images": {"registry": "registry.example.com/mirror", "pullPolicy": "Always"},
        "imagePullSecrets": ["registry"],
    }
    rendered = render(values, apis=EVERYTHING)
    specs = dict(rendered.pod_specs())
    assert len(specs) == 4  # operator, detector, model server, test
    for title, spec in specs.items():
        assert spec["imagePullSecrets"] == [{"name": "registry"}], title
        assert spec["containers"][0]["image"].startswith("registry.example.com/mirror/leeway/"), title
        assert spec["containers"][0]["imagePullPolicy"] == "Always", title
    pod = rendered.one("EnvoyProxy")["spec"]["provider"]["kubernetes"]["envoyDeployment"]["pod"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


@pytest.mark.parametrize(
    ("image", "title"),
    [
        ("onnxServer", "ServingRuntime"),
        ("driftDetector", "Deployment leeway-drift-detector"),
        ("operators", "Deployment leeway-operator"),
    ],
)
def test_each_image_is_overridable_alone(render: Render, image: str, title: str) -> None:
    values = {"models": {"flights": model()}, "images": {image: {"repository": "own/thing", "tag": "7"}}}
    images = {name: spec["containers"][0]["image"] for name, spec in render(values).pod_specs()}
    changed = {name for name, reference in images.items() if reference == "docker.io/own/thing:7"}
    assert any(name.startswith(title) for name in changed)
    assert all("own/thing" not in reference for name, reference in images.items() if name not in changed)
