"""A client that costs little: one HTTP request, asked again and again on connections that are kept."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True)
class Measured:
    """What clients saw.

    Attributes:
        seconds: from the first request to the last answer.
        latencies: of every request in seconds, sorted.
    """

    seconds: float
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """Latency in seconds that this share of requests did not exceed."""
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, until: float, latencies: list[float]) -> None:
        self._request = request
        self._until = until
        self._latencies = latencies
        self._received = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # as create_connection makes it
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        now = time.perf_counter()
        if not head.startswith(b"HTTP/1.1 200"):
            self._end(RuntimeError(f"the answer was {self._received[:200]!r}; 200 was expected"))
            return
        self._latencies.append(now - self._sent_at)
        self._received = b""
        if now < self._until:
            self._ask()
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionError("the server closed the connection"))

    def _ask(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def _end(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
        self._transport.close()


def load(port: int, path: str, body: bytes, *, connections: int, seconds: float) -> Measured:
    """Posts `body` to `path` on this machine for some seconds, from each connection one request after the other.

    Raises:
        OSError: nobody listens, or a connection was lost.
        RuntimeError: an answer was not 200.
    """
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    request = f"{head}\r\n\r\n".encode() + body

    async def run() -> Measured:
        loop = asyncio.get_running_loop()
        latencies: list[float] = []
        started = time.perf_counter()
        until = started + seconds
        made = [
            await loop.create_connection(lambda: _Connection(request, until, latencies), "127.0.0.1", port)
            for _ in range(connections)
        ]
        await asyncio.gather(*(connection.done for _, connection in made))
        return Measured(time.perf_counter() - started, sorted(latencies))

    return asyncio.run(run())


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise RuntimeError(f"an answer without content-length: {head[:200]!r}")
