"""One client's HTTPS connection to a model: by its name, at the gateway's address, checked against its authority."""

import http.client
import socket
import ssl
from dataclasses import dataclass

from cluster.https import Endpoint

_HTTPS = 443
_NO_ANSWER = 0


@dataclass(frozen=True)
class Answer:
    """What came back; `status` is 0 where nothing did, and `error` says why."""

    status: int
    version: str = ""
    body: bytes = b""
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is a prediction."""
        return self.status == http.HTTPStatus.OK


def context_of(endpoint: Endpoint) -> ssl.SSLContext:
    """Return what trusts the endpoint's authority and nobody else."""
    return ssl.create_default_context(cafile=endpoint.authority)


class Connection:
    """Kept open between requests; a request is sent once and never again, whatever becomes of it."""

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext, *, timeout: float = 20.0) -> None:
        """Opens nothing yet.

        Args:
            endpoint: of the model.
            context: `context_of` the endpoint; one for all its connections, as making one takes tens of milliseconds.
            timeout: seconds, of each wait.
        """
        self._endpoint, self._context, self._timeout = endpoint, context, timeout
        self._connection: http.client.HTTPSConnection | None = None

    def open(self) -> None:
        """Connect now, so that the first request need not.

        Raises:
            OSError: no connection, or the certificate is not the authority's.
        """
        if self._connection is None:
            self._connection = self._connect()

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        """Send a JSON body; underscores in the names of headers are written as hyphens."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection = self._connection or self._connect()
            self._connection = connection
            connection.request("POST", path, body, {"content-type": "application/json", **names})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(_NO_ANSWER, error=f"{type(error).__name__}: {error}")
        if answer.will_close:
            self.close()
        ok = answer.status == http.HTTPStatus.OK
        return Answer(
            answer.status, answer.headers.get("x-leeway-version", ""), text, "" if ok else text[:300].decode("latin-1")
        )

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(self._endpoint.hostname, timeout=self._timeout)
        plain = socket.create_connection((self._endpoint.address, _HTTPS), timeout=self._timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.sock = self._context.wrap_socket(plain, server_hostname=self._endpoint.hostname)
        except OSError:
            plain.close()
            raise
        return connection
