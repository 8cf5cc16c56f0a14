"""The API server as the cluster's administrator reaches it, without a process for each question."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


class RefusedError(RuntimeError):
    """Whoever was asked, or the API server before it, did not do it; `status` is its code."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the code beside the message."""
        super().__init__(message)
        self.status = status


class ApiServer:
    """The API server of one cluster, and the Services that it leads to.

    Not by kubectl, which sends bodies without saying that they are JSON, and which is a process for every look.

    Args:
        kubeconfig: that `make up` wrote; its certificates are files.
    """

    def __init__(self, kubeconfig: Path) -> None:
        """Read address and certificates."""
        document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._server = urlsplit(cluster["server"]).netloc
        self._context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._context.load_cert_chain(user["client-certificate"], user["client-key"])

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON that is answered.

        Raises:
            RefusedError: with the status, if that is not 200.
            OSError: nobody answers.
        """
        connection = http.client.HTTPSConnection(self._server, timeout=20, context=self._context)
        try:
            headers = {"content-type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            words = text[:300].decode(errors="replace")
            raise RefusedError(answer.status, f"{method} {path} was answered {answer.status}: {words}")
        return json.loads(text)


def service(namespace: str, name: str, port: int) -> str:
    """Return the path under which the API server leads to a Service."""
    return f"/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy"
