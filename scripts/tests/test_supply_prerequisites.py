"""A site without a way out is told every image of the prerequisites, by the whole name that its nodes ask for."""

import json

import pytest
import yaml

from supply import prerequisites


def kserve(logger: dict[str, str]) -> str:
    example = {"logger": '{"image": "kserve/agent:latest"}'}
    return yaml.safe_dump_all(
        [
            {
                "kind": "ConfigMap",
                "metadata": {"name": "inferenceservice-config"},
                "data": {"_example": json.dumps(example), "logger": json.dumps(logger)},
            },
            {"kind": "Deployment", "metadata": {"name": "kserve"}, "spec": {"containers": [{"image": "kserve/c:v0"}]}},
        ]
    )


def test_kserves_agent_is_named_by_its_configuration_and_not_by_an_example_in_it() -> None:
    assert prerequisites.of_kserve(kserve({"image": "kserve/agent:v0.20.0"})) == ["kserve/c:v0", "kserve/agent:v0.20.0"]


def test_cert_managers_images_have_the_version_that_is_installed() -> None:
    rendered = """
kind: Deployment
spec:
  containers:
    - image: "quay.io/jetstack/cert-manager-controller:v0.0.0"
      args:
        - --acme-http01-solver-image=quay.io/jetstack/cert-manager-acmesolver:v0.0.0
"""
    assert prerequisites.of_cert_manager(rendered, "v1.21.2") == [
        "quay.io/jetstack/cert-manager-controller:v1.21.2",
        "quay.io/jetstack/cert-manager-acmesolver:v1.21.2",
    ]


def test_envoy_is_the_one_that_its_gateway_starts() -> None:
    source = 'const (\n\tDefaultEnvoyProxyImage = "docker.io/envoyproxy/envoy:distroless-v1@sha256:ab"\n)\n'
    assert prerequisites.of_envoy_gateway(source, "v1.9.1") == [
        "docker.io/envoyproxy/gateway:v1.9.1",
        "docker.io/envoyproxy/envoy:distroless-v1@sha256:ab",
    ]


def test_what_is_no_longer_where_it_was_is_said_and_not_left_out() -> None:
    with pytest.raises(ValueError, match="expected DefaultEnvoyProxyImage"):
        prerequisites.of_envoy_gateway("package v1alpha1\n", "v1.9.1")
    with pytest.raises(ValueError, match="expected the argument --acme-http01-solver-image"):
        prerequisites.of_cert_manager("kind: Deployment\n", "v1.21.2")
    with pytest.raises(ValueError, match="expected `image` in logger"):
        prerequisites.of_kserve(kserve({}))


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ("kserve/agent:v0.20.0", "docker.io/kserve/agent:v0.20.0"),
        ("busybox:1", "docker.io/library/busybox:1"),
        ("quay.io/brancz/kube-rbac-proxy:v0.18.0", "quay.io/brancz/kube-rbac-proxy:v0.18.0"),
        ("localhost/a:1", "localhost/a:1"),
        ("registry:5000/a:1", "registry:5000/a:1"),
    ],
)
def test_a_name_is_whole(image: str, whole: str) -> None:
    assert prerequisites.qualified(image) == whole


def test_the_list_is_one_image_a_line_under_the_name_of_its_group() -> None:
    assert prerequisites.text({"KServe v1": ["a:1", "b:1"], "Metrics": ["c:1"]}) == (
        "# KServe v1\na:1\nb:1\n# Metrics\nc:1\n"
    )
