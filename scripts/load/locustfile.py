"""The users that locust runs: each asks the model about a real flight once a second, at a moment of its own.

All of them connect before the load begins, and as many of them ask as requests are due in that second: rate is a number
of users, and no burst is one of new connections. A request is timed from when it was due: one that had to wait for the
answer before it is late, and not forgotten.
"""

import itertools
import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from locust import LoadTestShape, User, task

from cluster.https import Endpoint
from load.connection import Connection, context_of
from load.profiles import Shape

_PLAN = json.loads(Path(os.environ["LEEWAY_LOAD_PLAN"]).read_text(encoding="utf-8"))
_SHAPE = Shape(**_PLAN["shape"])
_BODIES = [line.encode() for line in Path(_PLAN["bodies"]).read_text(encoding="utf-8").splitlines()]
_ENDPOINT = Endpoint(_PLAN["hostname"], _PLAN["address"], Path(_PLAN["authority"]))
_CONTEXT = context_of(_ENDPOINT)
_PERIOD = 1.0
_PAUSE = 1.0  # seconds between the last connection and the load
_NUMBER, _CONNECTED = itertools.count(), itertools.count(1)
_BEGIN = AsyncResult()  # the time at which the load begins, once all have connected
_END = Event()
gevent.signal_handler(signal.SIGTERM, _END.set)  # locust begins to heed it when a shape has ended


class Client(User):
    """One connection, and a request in each second in which so many are due."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connection = Connection(_ENDPOINT, _CONTEXT)
        self._number = next(_NUMBER)
        self._due = 0.0

    def wait_time(self) -> float:
        """Seconds until the next request is due."""
        return max(0.0, self._due - time.monotonic())

    def on_start(self) -> None:
        """Connect, and wait for the others."""
        with suppress(OSError):  # then the first request tries again, and fails where it is counted
            self._connection.open()
        if next(_CONNECTED) == _SHAPE.peak:
            _BEGIN.set(time.monotonic() + _PAUSE)
        self._due = _BEGIN.get() + random.random() * _PERIOD  # noqa: S311 - spreads users over a second

    def on_stop(self) -> None:
        """Close the connection."""
        self._connection.close()

    @task
    def predict(self) -> None:
        """Ask about one flight, if the moment has come and the load is that high."""
        if time.monotonic() < self._due:
            return
        due, self._due = self._due, self._due + _PERIOD
        if self._number >= _SHAPE.rate_at(due - _BEGIN.get()):
            return
        # Drawn, and not in turns: a gateway that shares requests by turns would give each version its own flights.
        answer = self._connection.post(_PLAN["path"], random.choice(_BODIES))  # noqa: S311 - which flight is asked about
        self.environment.events.request.fire(
            request_type="POST",
            name=f"{_PLAN['path']} {answer.version or '(no version)'}",
            response_time=(time.monotonic() - due) * 1000,
            response_length=len(answer.body),
            exception=None if answer.ok else RuntimeError(f"{answer.status} {answer.error}"),
            context={},
        )


class Planned(LoadTestShape):
    """As many users as requests are due in a second at most, from before the load until its end."""

    def tick(self) -> tuple[int, float] | None:
        """Say how many users there should be now, and how many may come a second; None ends the run."""
        over = _BEGIN.ready() and time.monotonic() > _BEGIN.get() + _SHAPE.seconds + _PERIOD
        return None if over or _END.is_set() else (_SHAPE.peak, float(_SHAPE.peak))
