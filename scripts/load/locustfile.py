"""The users that locust runs: each asks the model about real flights, once a second, whatever the answers take.

Rate is a number of users, so that a shape of users is a shape of requests. A request is timed from when it was due:
one that had to wait for the answer before it is late, and not forgotten.
"""

import itertools
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import gevent
from locust import LoadTestShape, User, task

from cluster.https import Endpoint
from load.connection import Connection
from load.profiles import Shape

_PLAN = json.loads(Path(os.environ["LEEWAY_LOAD_PLAN"]).read_text(encoding="utf-8"))
_SHAPE = Shape(**_PLAN["shape"])
_BODIES = [line.encode() for line in Path(_PLAN["bodies"]).read_text(encoding="utf-8").splitlines()]
_NEXT_BODY = itertools.cycle(_BODIES)
_PERIOD = 1.0


class Client(User):
    """One connection and one request a second, at a moment of the second that is its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        endpoint = Endpoint(_PLAN["hostname"], _PLAN["address"], Path(_PLAN["authority"]))
        self._connection = Connection(endpoint)
        self._due = time.monotonic() + random.random() * _PERIOD  # noqa: S311 - spreads users over a second

    def on_stop(self) -> None:
        """Close the connection."""
        self._connection.close()

    @task
    def predict(self) -> None:
        """Ask about one flight when it is due."""
        gevent.sleep(max(0.0, self._due - time.monotonic()))
        due, self._due = self._due, self._due + _PERIOD
        answer = self._connection.post(_PLAN["path"], next(_NEXT_BODY))
        self.environment.events.request.fire(
            request_type="POST",
            name=f"{_PLAN['path']} {answer.version or '(no version)'}",
            response_time=(time.monotonic() - due) * 1000,
            response_length=len(answer.body),
            exception=None if answer.ok else RuntimeError(f"{answer.status} {answer.error}"),
            context={},
        )


class Planned(LoadTestShape):
    """As many users as requests are due in a second."""

    def tick(self) -> tuple[int, float] | None:
        """Say how many users there should be now, and how many may come a second; None ends the run."""
        users = _SHAPE.rate_at(self.get_run_time())
        return (users, float(max(users, 10))) if users else None
