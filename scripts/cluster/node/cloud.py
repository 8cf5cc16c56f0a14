"""What a cloud would do for this node: addresses for Services of type LoadBalancer, folders for volume claims.

Runs in the box beside the control plane; only the standard library. Level-triggered: each round lists and mends.
"""

import argparse
import http.client
import ipaddress
import json
import os
import ssl
import sys
import time
from pathlib import Path
from typing import Any

PROVISIONER = "leeway.dev/hostpath"
_ROUND_SECONDS = 1.0
POD_UID = 10001  # images run as this user, and a fresh folder belongs to root otherwise


class Api:
    """The few calls to the API server that this needs."""

    def __init__(self, server: str, authority: str, certificate: str, key: str) -> None:
        self._context = ssl.create_default_context(cafile=authority)
        self._context.load_cert_chain(certificate, key)
        self._host = server.removeprefix("https://")

    def call(
        self, method: str, path: str, body: object = None, kind: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        """Return the status code and the JSON answer.

        Raises:
            OSError: the server could not be reached.
        """
        connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=10)
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()

    def items(self, path: str) -> list[dict[str, Any]]:
        """List from the server's watch cache; nothing while it is not ready."""
        status, answer = self.call("GET", f"{path}?resourceVersion=0")
        return answer["items"] if status == http.client.OK else []


def load_balancer_patches(services: list[dict[str, Any]], cidr: str) -> dict[str, str]:
    """Return path → address for every Service of type LoadBalancer that has none yet."""
    waiting: list[str] = []
    taken: set[str] = set()
    for service in services:
        if service["spec"].get("type") != "LoadBalancer":
            continue
        given = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
        taken.update(entry["ip"] for entry in given if "ip" in entry)
        if not given:
            meta = service["metadata"]
            waiting.append(f"/api/v1/namespaces/{meta['namespace']}/services/{meta['name']}/status")
    free = (str(address) for address in ipaddress.ip_network(cidr).hosts() if str(address) not in taken)
    return dict(zip(waiting, free, strict=False))


def volume_for(claim: dict[str, Any], classes: set[str], root: Path) -> dict[str, Any] | None:
    """Return the PersistentVolume a pending claim of one of our classes gets, or None."""
    spec, meta = claim["spec"], claim["metadata"]
    if spec.get("storageClassName") not in classes or spec.get("volumeName") or meta.get("deletionTimestamp"):
        return None
    name = f"pvc-{meta['uid']}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": meta["name"],
                "namespace": meta["namespace"], "uid": meta["uid"],
            },
            "hostPath": {"path": str(root / name), "type": "Directory"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": spec["storageClassName"],
        },
    }  # fmt: skip


def serve_once(api: Api, load_balancers: str, volumes: Path) -> None:
    """One round over all Services and claims."""
    for path, address in load_balancer_patches(api.items("/api/v1/services"), load_balancers).items():
        patch = {"status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}}
        api.call("PATCH", path, patch, "application/merge-patch+json")
    classes = {
        entry["metadata"]["name"]
        for entry in api.items("/apis/storage.k8s.io/v1/storageclasses")
        if entry["provisioner"] == PROVISIONER
    }
    for claim in api.items("/api/v1/persistentvolumeclaims"):
        if volume := volume_for(claim, classes, volumes):
            folder = Path(volume["spec"]["hostPath"]["path"])
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o770)
            os.chown(folder, POD_UID, POD_UID)
            api.call("POST", "/api/v1/persistentvolumes", volume)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    for name in ("server", "authority", "certificate", "key", "load-balancers", "volumes"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    api = Api(options.server, options.authority, options.certificate, options.key)
    while True:
        try:
            serve_once(api, options.load_balancers, Path(options.volumes))
        except OSError as error:
            sys.stderr.write(f"cloud: {error}; trying again\n")
        time.sleep(_ROUND_SECONDS)


if __name__ == "__main__":
    main()
