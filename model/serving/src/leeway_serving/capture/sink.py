"""Delivery of batches over HTTP/1.1, on one connection that is kept."""

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

from leeway_serving import __version__
from leeway_serving.capture.events import BATCH_MEDIA_TYPE

_READ_BYTES = 64 * 2**10
_TAKEN = range(200, 300)
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


class SinkError(Exception):
    """A batch was not taken.

    Attributes:
        retry_seconds: how long to wait before the same batch is sent again; None if it will never be taken.
    """

    def __init__(self, message: str, *, retry_seconds: float | None) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class HttpSink:
    """The sink at a URL. Not for several threads."""

    def __init__(self, url: str, *, timeout: float, pause: float) -> None:
        """Connects at the first delivery.

        Args:
            url: http or https.
            timeout: in seconds, of connecting and of each wait for the sink.
            pause: in seconds, for a sink that restarts or has too much to do.
        """
        parts = urlsplit(url)
        self._connect: Callable[[], http.client.HTTPConnection] = lambda: (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )(parts.hostname or "", parts.port, timeout=timeout)
        self._pause = pause
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> None:
        """Delivers one batch.

        Raises:
            SinkError: when it was not taken; the connection is closed then.
        """
        kept, self._connection = self._connection, None
        connection = kept or self._connect()
        try:
            headers = {"content-type": BATCH_MEDIA_TYPE, "user-agent": f"leeway-onnx-server/{__version__}"}
            connection.request("POST", self._target, body, headers)
            response = connection.getresponse()
            status = response.status
            whole = len(response.read(_READ_BYTES)) < _READ_BYTES
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            # A connection that was kept is mostly lost because it was idle, and says nothing of the sink.
            pause = self._pause if kept is None else 0.0
            raise SinkError(f"{type(error).__name__}: {error!s:.200}", retry_seconds=pause) from error
        if status not in _TAKEN:
            connection.close()
            retry_seconds = self._pause if status in _TRANSIENT else None
            raise SinkError(f"the sink answered {status}", retry_seconds=retry_seconds)
        if whole and not response.will_close:
            self._connection = connection
        else:
            connection.close()

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
