"""One sender's connection: uvicorn's, with an end to what may be sent outside a body, and errors in JSON."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 * 2**10
"""Of a request's head, of its trailers, or between two pieces of a body."""


class Connection(HttpToolsProtocol):
    """The parser has no limits of its own: it would keep a header of a gigabyte, and wait for its end for ever.

    Attributes:
        head_seconds: from the first byte of a head to its last.
    """

    head_seconds = 10.0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._outside_body = 0
        self._in_head = False
        self._head_timeout: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the sender."""
        self._head_is_whole()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what came, unless there has been too much that is no body."""
        self._outside_body += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._outside_body > HEAD_BYTES:
            self._refuse(431, f"head: over the limit of {HEAD_BYTES} bytes")
        elif self._in_head and self._head_timeout is None:  # a head mostly comes whole, and then costs no timer
            message = f"head: not whole after {self.head_seconds:g} s"
            self._head_timeout = self.loop.call_later(self.head_seconds, self._refuse, 408, message)

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """The last byte of a head."""
        self._head_is_whole()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body, which the application limits."""
        self._outside_body = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words; ours follow the shape of errors
        """Answers what cannot be parsed."""
        self._refuse(400, "request: cannot be read, expected HTTP/1.1")

    def _head_is_whole(self) -> None:
        self._outside_body = 0
        self._in_head = False
        if self._head_timeout is not None:
            self._head_timeout.cancel()
            self._head_timeout = None

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()
