"""Sending rows when their time has come on a clock that runs `speed` times as fast."""

import http.client
import json
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cluster import demo
from cluster.https import Endpoint
from drill.faults import Fault
from drill.flights import Flights, v2

ROWS_PER_REQUEST = 50


class ReplayFailedError(RuntimeError):
    """The model did not answer; the message has its status and words."""


@dataclass(frozen=True)
class Request:
    """A V2 request and when it is due, in seconds of event time after the beginning."""

    due: float
    body: dict[str, Any]


def requests(flights: Flights, *, healthy: int, fault: Fault | None, faulty: int) -> list[Request]:
    """Write the requests of a drill: healthy rows, then as many faulty ones; each due when its last flight departs.

    Args:
        flights: from the beginning on.
        healthy: rows before the fault.
        fault: None replays all rows as they are.
        faulty: rows with the fault.

    Raises:
        ValueError: there are too few flights.
    """
    if len(flights) < healthy:
        raise ValueError(f"{len(flights)} flights, expected at least {healthy}")
    before = flights.part(0, healthy)
    start = flights.times[0]
    written = [Request(batch.times[-1] - start, v2(batch.columns)) for batch in before.batches(ROWS_PER_REQUEST)]
    if fault is None:
        return written
    later = flights.times[healthy] + fault.later
    after = flights.since(later).part(0, faulty)
    if len(after) < faulty:
        raise ValueError(f"{len(after)} flights after the fault, expected {faulty}")
    begin = flights.times[healthy] - start
    written += [
        Request(begin + batch.times[-1] - after.times[0], v2(fault.apply(batch.columns)))
        for batch in after.batches(ROWS_PER_REQUEST)
    ]
    return written


def pace(
    due: Iterable[Request],
    send: Callable[[dict[str, Any]], None],
    *,
    speed: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send each request when it is due; one that is late is sent at once."""
    start = clock()
    for request in due:
        if (wait := start + request.due / speed - clock()) > 0:
            sleep(wait)
        send(request.body)


class Client:
    """A client of the model over one HTTPS connection, whose request ids begin as a drill demands."""

    def __init__(self, endpoint: Endpoint, prefix: str) -> None:
        self._endpoint, self._prefix = endpoint, prefix
        self._connection = self._connect()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, body: dict[str, Any]) -> None:
        """Ask the model.

        Raises:
            ReplayFailedError: its answer is not 200.
        """
        headers = {"content-type": "application/json", "x-request-id": f"{self._prefix}{uuid.uuid4()}"}
        self._connection.request("POST", f"/v2/models/{demo.MODEL}/infer", json.dumps(body), headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise ReplayFailedError(f"{demo.MODEL} answered {answer.status}: {text[:300].decode(errors='replace')}")

    def _connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=self._endpoint.authority)
        connection = http.client.HTTPSConnection(self._endpoint.hostname, timeout=20)
        plain = socket.create_connection((self._endpoint.address, 443), timeout=20)
        connection.sock = context.wrap_socket(plain, server_hostname=self._endpoint.hostname)
        return connection
