"""Reading and writing HTTP over ASGI, within limits."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from leeway_serving.errors import RequestError, malformed, too_large

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Mapping[bytes, bytes]

RECEIVED = "leeway.received"
"""In the state of a request's scope: `time.perf_counter()` of the last byte of its head."""

_REQUEST_ID = re.compile(rb"[!-~]{1,128}")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_LINGER_SECONDS = 5.0
_LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class Limits:
    """What one request, and all requests together, may take.

    Parsed JSON takes up to forty times its bytes (a list of `{"":1}`): `body_bytes` decides how much memory one client
    can make the server use.

    Attributes:
        body_bytes: of one request.
        rows: of one request.
        in_flight: requests that are being read or answered.
        buffered_bytes: of all bodies that are being read or answered.
        body_seconds: time to send a body.
    """

    body_bytes: int = 4 * 2**20
    rows: int = 10_000
    in_flight: int = 512
    buffered_bytes: int = 64 * 2**20
    body_seconds: float = 30.0


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole; there is nobody to answer."""


class Admission:
    """Counts what is being read and answered, and refuses what would be too much."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.in_flight = 0
        self.buffered = 0


class Admitted:
    """A context in which one request is in flight; what it holds is given back at its end."""

    __slots__ = ("_admission", "_held")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._held = 0

    def __enter__(self) -> Self:
        """Raises `RequestError` 429 when too many requests are in flight."""
        limit = self._admission.limits.in_flight
        if self._admission.in_flight >= limit:
            raise _overloaded(f"{limit} requests in flight")
        self._admission.in_flight += 1
        return self

    def hold(self, size: int) -> None:
        """Admits `size` more bytes of the request's body.

        Raises:
            RequestError: 413 when the body gets too large, 429 when all bodies together do.
        """
        limits = self._admission.limits
        if self._held + size > limits.body_bytes:
            raise _too_large(f"the body has more than {self._held} bytes", limits)
        if self._admission.buffered + size > limits.buffered_bytes:
            raise _overloaded(f"{limits.buffered_bytes} bytes of requests in flight")
        self._admission.buffered += size
        self._held += size

    def __exit__(self, *_: object) -> None:
        """Gives everything back."""
        self._admission.in_flight -= 1
        self._admission.buffered -= self._held


def check_media_type(headers: Headers, *, binary: bool) -> int | None:
    """Lets JSON in UTF-8 pass, and requests that do not say what they carry; binary tensors where they may be.

    Args:
        headers: of the request.
        binary: whether the path takes binary tensors behind the JSON.

    Returns:
        How many bytes of the body are JSON; None if all of it is.

    Raises:
        RequestError: 415 for anything else, compressed bodies among it, 400 for a length that is none.
    """
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise RequestError(415, "media_type", "a compressed body was sent; plain JSON was expected")
    json_bytes = headers.get(b"inference-header-content-length")
    if json_bytes is not None and not binary:
        raise RequestError(415, "media_type", "binary tensors were sent; JSON was expected, as only V2 takes them")
    content_type = headers.get(b"content-type")
    if content_type is not None and content_type != b"application/json":
        _check_content_type(content_type, binary=binary, length_given=json_bytes is not None)
    if json_bytes is None:
        return None
    if not _LENGTH.fullmatch(json_bytes):
        sent = json_bytes[:80].decode("latin-1")
        raise malformed(f"inference-header-content-length is '{sent}'; the number of bytes of JSON was expected")
    return int(json_bytes)


def _check_content_type(content_type: bytes, *, binary: bool, length_given: bool) -> None:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(b";"))
    if media_type == b"application/octet-stream" and binary:
        if not length_given:
            raise malformed(
                "application/octet-stream was sent without inference-header-content-length; the number of"
                " bytes of JSON was expected there"
            )
        return
    charsets = [p[8:].strip(b'"') for p in parameters if p.startswith(b"charset=")]
    if media_type != b"application/json" or charsets not in ([], [b"utf-8"]):
        sent = content_type.decode("latin-1")
        raise RequestError(415, "media_type", f"content-type '{sent}' was sent; application/json in UTF-8 was expected")


async def read_body(headers: Headers, receive: Receive, limits: Limits, admitted: Admitted) -> bytes:
    """The body of a request, refused as soon as it is known to be too large.

    Raises:
        RequestError: 413 over the limit of one body, 429 over that of all, 408 when it takes too long.
        ClientGoneError: when the client went away.
    """
    declared = int(headers.get(b"content-length", b"0"))
    if declared > limits.body_bytes:
        raise _too_large(f"the body has {declared} bytes", limits)
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                _raise_if_gone(message)
                chunk = message.get("body", b"")
                admitted.hold(len(chunk))
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        what = f"the body did not arrive within {limits.body_seconds:g} s"
        raise RequestError(408, "timeout", what, Connection="close") from None


def _raise_if_gone(message: Message) -> None:
    if message["type"] == "http.disconnect":
        raise ClientGoneError


def request_id(headers: Headers) -> bytes:
    """The request's own id if it is 1 to 128 visible ASCII characters, else a new one."""
    given = headers.get(b"x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) else secrets.token_hex(16).encode()


async def respond(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Sends a whole answer."""
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_and_close(
    receive: Receive, send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Sends a whole answer to a request that is still being sent, and closes the connection a little later.

    Closing at once would make the kernel reset the connection, and the client would never read why.
    """
    headers += [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass  # it had its chance to read the answer
    await send({"type": "http.response.body", "body": b""})


def error_body(message: str) -> bytes:
    """The one shape of every error, cut where a message quotes more of the request than anybody reads."""
    return orjson.dumps({"error": message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"})


def _too_large(what: str, limits: Limits) -> RequestError:
    error = too_large(f"{what}; the limit of this server is {limits.body_bytes} bytes")
    error.headers["Connection"] = "close"
    return error


def _overloaded(what: str) -> RequestError:
    return RequestError(429, "overloaded", f"the server is at its limit of {what}; try again", Retry_After="1")
