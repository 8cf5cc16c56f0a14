"""`helm test`: one real inference over HTTPS through the Gateway for each model of the release.

Runs in the cluster with Python's standard library only. Reads what to test from the JSON file named by its one
argument: `{"port", "address"?, "gateway"?: {"namespace", "name"}, "ca"?, "models": {name: {"hostname", "request"}}}`.
Exits 0 when every model answered, else 1 with one line per model that says what went wrong.
"""
# ruff: noqa: INP001, T201 - a program of one file, whose output is what `helm test --logs` shows

import http.client
import json
import os
import pathlib
import socket
import ssl
import sys
import time
import urllib.request
from typing import Any

SERVICE_ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
# A test right after an installation finds gateway and model still coming up.
PATIENCE_SECONDS = 120
RETRY_SECONDS = 2
TIMEOUT_SECONDS = 30


class NotYetError(Exception):
    """The answer may be another one soon."""


class PinnedConnection(http.client.HTTPSConnection):
    """Connects to a fixed address and verifies the certificate for the hostname, as `curl --resolve` does."""

    def __init__(self, hostname: str, port: int, address: str, context: ssl.SSLContext) -> None:
        super().__init__(hostname, port, timeout=TIMEOUT_SECONDS, context=context)
        self._address = address
        self._tls = context

    def connect(self) -> None:
        """Opens the TLS connection to the fixed address."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def gateway_address(namespace: str, name: str) -> str:
    """The address that the Gateway's status tells, read with the pod's own service account.

    Raises:
        NotYetError: the Gateway has no address yet.
    """
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    host = f"[{host}]" if ":" in host else host
    url = f"https://{host}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    request = urllib.request.Request(  # noqa: S310 - the scheme is fixed above
        f"{url}/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways/{name}",
        headers={"Authorization": f"Bearer {(SERVICE_ACCOUNT / 'token').read_text()}"},
    )
    tls = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=tls) as answer:  # noqa: S310
        addresses = json.load(answer).get("status", {}).get("addresses", [])
    if not addresses:
        raise NotYetError(f"Gateway {namespace}/{name} has no address in its status")
    return str(addresses[0]["value"])


def request_for(metadata: dict[str, Any]) -> dict[str, Any]:
    """One row of zeros and empty strings for whatever inputs the model says it has."""
    inputs = []
    for tensor in metadata["inputs"]:
        shape = [max(size, 1) for size in tensor["shape"]]
        count = 1
        for size in shape:
            count *= size
        value = {"BYTES": "", "BOOL": False}.get(tensor["datatype"], 0)
        inputs.append({"name": tensor["name"], "datatype": tensor["datatype"], "shape": shape, "data": [value] * count})
    return {"inputs": inputs}


def call(connection: PinnedConnection, method: str, path: str, body: object = None) -> tuple[dict[str, Any], str]:
    """Sends one request; returns the answer and the version that gave it.

    Raises:
        NotYetError: the gateway answered for lack of a model (404, 500 or 503 by Gateway API), or the model is not
            ready (503).
        ValueError: the model gave any other answer than 200.
    """
    payload = None if body is None else json.dumps(body)
    connection.request(method, path, payload, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    version = answer.getheader("x-leeway-version", "")
    if answer.status != http.HTTPStatus.OK and (not version or answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE):
        raise NotYetError(f"{method} {path} answered {answer.status}: {text[:300]}")
    if answer.status != http.HTTPStatus.OK:
        raise ValueError(f"{method} {path} answered {answer.status}, 200 was expected: {text[:300]}")
    return json.loads(text), version


def infer(config: dict[str, Any], name: str, model: dict[str, Any]) -> str:
    """Asks one model; returns the line to print."""
    tls = ssl.create_default_context(cafile=config.get("ca"))
    address = config.get("address") or model["hostname"]
    if gateway := config.get("gateway"):
        address = gateway_address(gateway["namespace"], gateway["name"])
    connection = PinnedConnection(model["hostname"], config["port"], address, tls)
    try:
        body = model["request"]
        if not body:
            metadata, _ = call(connection, "GET", f"/v2/models/{name}")
            body = request_for(metadata)
        answer, version = call(connection, "POST", f"/v2/models/{name}/infer", body)
    finally:
        connection.close()
    outputs = {output["name"]: output["data"] for output in answer.get("outputs", [])}
    if not outputs or not all(outputs.values()):
        raise ValueError(f"outputs with data were expected, the answer is {json.dumps(answer)[:300]}")
    if not version:
        raise ValueError("the header x-leeway-version was expected in the answer")
    return f"{name} {version} at https://{model['hostname']} answered {json.dumps(outputs)}"


def main(path: str, *, patience: float = PATIENCE_SECONDS, retry: float = RETRY_SECONDS) -> int:
    """Tests every model, each with the same patience; returns the exit status."""
    config = json.loads(pathlib.Path(path).read_text())
    failed = 0
    for name, model in config["models"].items():
        deadline = time.monotonic() + patience
        while True:
            try:
                print(infer(config, name, model), flush=True)
                break
            except (NotYetError, OSError) as error:  # OSError: no connection, or TLS without its certificate, yet
                if time.monotonic() < deadline:
                    time.sleep(retry)
                    continue
                reason = str(error)
            except (ValueError, http.client.HTTPException) as error:
                reason = f"{type(error).__name__}: {error}"
            print(f"{name} at https://{model['hostname']} failed: {reason}", flush=True)
            failed += 1
            break
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
