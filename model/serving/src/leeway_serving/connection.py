"""One client's connection: uvicorn's, with an end to what may be sent outside a body, and errors in JSON."""

import asyncio
import time
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leeway_serving.http import RECEIVED, error_body

HEAD_BYTES = 64 * 2**10
"""Of a request's head, of its trailers, or between two pieces of a body."""
PIPELINED = 100
"""Requests that may wait on a connection for the one that is being answered."""


class _TooManyPipelinedError(Exception):
    """Ends the parsing of what a client has sent; it is answered as what cannot be parsed is."""


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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn's own narrowing
        """Gives a client that sends nothing as long as one that sends nothing more."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the client."""
        self._head_is_whole()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override] # the base class never keeps the transport open
        """A client that has sent a whole request and says that it is done still gets its answer."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            return False
        self.cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Parses what came, unless there has been too much that is no body."""
        self._outside_body += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._outside_body > HEAD_BYTES:
            self._refuse(431, f"a head of more than {HEAD_BYTES} bytes was sent")
        elif self._in_head and self._head_timeout is None:  # a head mostly comes whole, and then costs no timer
            message = f"the head of a request did not arrive within {self.head_seconds:g} s"
            self._head_timeout = self.loop.call_later(self.head_seconds, self._refuse, 408, message)

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """The last byte of a head."""
        self._head_is_whole()
        # Here and not where the request is answered: its turn comes when those before it have been.
        self.scope["state"][RECEIVED] = time.perf_counter()
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED:
            raise _TooManyPipelinedError

    def on_body(self, body: bytes) -> None:
        """A piece of a body, which the application limits."""
        self._outside_body = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words; ours follow the shape of errors
        """Answers what cannot be parsed."""
        self._refuse(400, "what was sent cannot be read; requests of HTTP/1.1 were expected")

    def _head_is_whole(self) -> None:
        self._outside_body = 0
        self._in_head = False
        if self._head_timeout is not None:
            self._head_timeout.cancel()
            self._head_timeout = None

    def _refuse(self, status: int, message: str) -> None:
        body = error_body(message)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()
