"""One HTTPS request to a gateway's address, by name, checked against a given authority."""

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HTTPS = 443


@dataclass(frozen=True)
class Endpoint:
    """A model's address: the name it is called by, the address that name has here, and who vouches for it."""

    hostname: str
    address: str
    authority: Path

    def curl(self, path: str, body: object) -> str:
        """Return the command line that makes the same request."""
        return (
            f"curl --cacert {self.authority} --resolve {self.hostname}:{_HTTPS}:{self.address} "
            f"-H 'content-type: application/json' https://{self.hostname}{path} -d '{json.dumps(body)}'"
        )

    def post(
        self, path: str, body: object, *, request_id: str | None = None
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Return status code, headers (lower-case names) and the JSON answer.

        Args:
            path: of the URL.
            body: what is sent, as JSON.
            request_id: what the request is called by; by default the gateway gives it a name.

        Raises:
            OSError: no connection, or the certificate is not the authority's.
        """
        context = ssl.create_default_context(cafile=self.authority)
        connection = http.client.HTTPSConnection(self.hostname, timeout=10)
        connection.sock = context.wrap_socket(
            socket.create_connection((self.address, _HTTPS), timeout=10), server_hostname=self.hostname
        )
        try:
            named = {} if request_id is None else {"x-request-id": request_id}
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **named})
            answer = connection.getresponse()
            text = answer.read()
            headers = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        return answer.status, headers, json.loads(text) if text[:1] == b"{" else {}
