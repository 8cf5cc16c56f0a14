"""What stands in for a cloud gives each Service one address and each claim one volume, and nobody else's."""

import ipaddress
from pathlib import Path
from typing import Any

from cluster.node.cloud import load_balancer_patches, volume_for

_CIDR = "10.203.0.0/28"


def _service(name: str, kind: str = "LoadBalancer", address: str | None = None) -> dict[str, Any]:
    status = {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {}
    return {"metadata": {"namespace": "n", "name": name}, "spec": {"type": kind}, "status": status}


def _claim(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "n", "name": "data", "uid": "u1"},
        "spec": {
            "storageClassName": "standard",
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            **spec,
        },
    }


def test_only_services_that_wait_for_an_address_get_one_and_none_twice() -> None:
    services = [_service("has", address="10.203.0.1"), _service("inside", "ClusterIP"), _service("x"), _service("y")]

    patches = load_balancer_patches(services, _CIDR)

    assert patches == {
        "/api/v1/namespaces/n/services/x/status": "10.203.0.2",
        "/api/v1/namespaces/n/services/y/status": "10.203.0.3",
    }


def test_a_full_range_leaves_the_rest_waiting() -> None:
    services = [_service(f"s{number}") for number in range(20)]

    addresses = list(load_balancer_patches(services, _CIDR).values())

    assert len(addresses) == len(set(addresses)) == 14
    assert all(ipaddress.ip_address(address) in ipaddress.ip_network(_CIDR) for address in addresses)


def test_a_claim_of_our_class_gets_a_volume_bound_to_it() -> None:
    volume = volume_for(_claim(), {"standard"}, Path("/volumes"))

    assert volume is not None
    assert volume["spec"]["hostPath"]["path"] == "/volumes/pvc-u1"
    assert volume["spec"]["claimRef"]["uid"] == "u1"
    assert volume["spec"]["capacity"] == {"storage": "1Gi"}


def test_claims_of_other_classes_and_bound_claims_are_left_alone() -> None:
    assert volume_for(_claim(storageClassName="fast"), {"standard"}, Path("/volumes")) is None
    assert volume_for(_claim(volumeName="pvc-u1"), {"standard"}, Path("/volumes")) is None
