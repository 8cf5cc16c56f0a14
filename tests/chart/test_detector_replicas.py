"""Several detectors: what they share, how they reach each other, and what they cannot do."""

import pytest

from chart.rendering import ChartError, Manifest, Render, Rendered

NAME = "leeway-drift-detector"
SHARING: Manifest = {
    "backend": "native",
    "redis": {"existingSecret": "leeway-redis"},
    "store": {"existingSecret": "leeway-store"},
}


def spec(rendered: Rendered) -> Manifest:
    found: Manifest = rendered.one("Deployment", NAME)["spec"]
    return found


def test_one_detector_is_alone_and_gives_way_before_the_next(render: Render) -> None:
    alone = spec(render())
    assert alone["replicas"] == 1
    assert alone["strategy"] == {"type": "Recreate"}
    assert "topologySpreadConstraints" not in alone["template"]["spec"]


def test_several_are_told_where_their_counts_meet_and_how_the_others_reach_them(render: Render) -> None:
    several = spec(render({"driftDetector": {"replicas": 3, **SHARING}}))
    assert several["replicas"] == 3
    assert several["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    [container] = several["template"]["spec"]["containers"]
    assert {entry["name"]: entry["valueFrom"] for entry in container["env"] if "valueFrom" in entry} == {
        "LEEWAY_STORE_URL": {"secretKeyRef": {"name": "leeway-store", "key": "url"}},
        "LEEWAY_REDIS_URL": {"secretKeyRef": {"name": "leeway-redis", "key": "url"}},
        "POD_IP": {"fieldRef": {"fieldPath": "status.podIP"}},
    }
    [spread] = several["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"] == several["selector"]


def test_they_reach_each_other_and_the_counts_they_share(render: Render) -> None:
    rendered = render({"driftDetector": {"replicas": 2, **SHARING}, "networkPolicy": {"redisPorts": [6380]}})
    policy = rendered.one("NetworkPolicy", NAME)["spec"]
    each_other = {"podSelector": policy["podSelector"]}
    http = [{"port": 8080, "protocol": "TCP"}]
    assert {"from": [each_other], "ports": http} in policy["ingress"]
    assert {"to": [each_other], "ports": http} in policy["egress"]
    assert {"ports": [{"port": 6380, "protocol": "TCP"}]} in policy["egress"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicas": 2, "backend": "native"}, r"replicas: 2 need driftDetector\.redis\.existingSecret"),
        ({**SHARING, "backend": "alibi"}, r"backend: native is expected"),
        ({**SHARING, "store": {}}, r"store\.existingSecret: expected"),
        ({**SHARING, "persistence": {"enabled": True}}, r"persistence\.enabled: false is expected"),
    ],
)
def test_what_several_cannot_do_is_refused_with_the_value_to_change(
    render: Render, values: Manifest, message: str
) -> None:
    with pytest.raises(ChartError, match=rf"driftDetector\.{message}"):
        render({"driftDetector": values})


def test_several_without_a_store_need_no_database(render: Render) -> None:
    values = {**SHARING, "store": {"enabled": False}, "replicas": 2}
    assert spec(render({"driftDetector": values}))["replicas"] == 2
