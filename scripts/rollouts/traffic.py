"""Requests that are sent when they are due, whatever becomes of those before them, each with what came of it."""

import itertools
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cluster.https import Endpoint
from load.connection import Connection, context_of

_MALFORMED = b'{"inputs": []}'
_LONGEST_ANSWER = 0.25  # seconds that the workers are enough for; beyond, requests are late, and it shows
_LEAST_WORKERS = 4


@dataclass(frozen=True, slots=True)
class Sent:
    """One request.

    Attributes:
        id: its `x-request-id`.
        time: when its answer came, seconds since 1970.
        seconds: from when it was due to then.
        status: 0 where no answer came.
        version: that answered; empty where none did.
        sample: index of the sample that it asked about.
        malformed: sent so on purpose.
        error: what was answered instead of a prediction.
    """

    id: str
    time: float
    seconds: float
    status: int
    version: str
    sample: int
    malformed: bool
    error: str

    @property
    def failed(self) -> bool:
        """Whether a user would have been let down: no prediction for a request that was right."""
        return not self.malformed and self.status != 200  # noqa: PLR2004 - HTTP's own OK


class Traffic:
    """Sends to one model at a rate until the block ends, from as many threads as that takes.

    Arrivals are a Poisson process, and samples are drawn: in turns, a gateway that shares requests by turns would give
    each version its own. `sent` grows as answers come; `malformed` may be changed while it runs.

    Args:
        endpoint: of the model.
        path: that takes V2 requests.
        samples: as `demo.samples` gives them.
        rate: requests per second.
        headers: sent with each request; underscores stand for hyphens.
        seed: of the times between requests, and of what they ask about.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        path: str,
        samples: Sequence[Mapping[str, Any]],
        *,
        rate: float,
        headers: Mapping[str, str] | None = None,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sent: list[Sent] = []
        self.malformed = 0.0
        """Share of the requests that are sent malformed: what makes both versions answer 400 alike."""
        self._endpoint, self._path, self._headers, self._clock = endpoint, path, dict(headers or {}), clock
        self._context = context_of(endpoint)
        self._bodies = [json.dumps(sample["v2"]).encode() for sample in samples]
        self._random = random.Random(seed)  # noqa: S311 - times between requests
        self._due = due(rate, self._random)
        self._next = threading.Lock()
        self._over = threading.Event()
        workers = max(_LEAST_WORKERS, round(rate * _LONGEST_ANSWER))
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        self._start = 0.0

    def __enter__(self) -> Self:
        """Begin."""
        self._start = self._clock()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send no more, and wait for the answers that are due."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def failures(self) -> list[Sent]:
        """Requests that failed so far."""
        return [sent for sent in list(self.sent) if sent.failed]

    def answered_by(self, version: str) -> list[Sent]:
        """Requests that this version answered so far, with a prediction or without."""
        return [sent for sent in list(self.sent) if sent.version == version]

    def _work(self) -> None:
        connection = Connection(self._endpoint, self._context)
        while True:
            with self._next:
                moment = self._start + next(self._due)
                sample = self._random.randrange(len(self._bodies))
                malformed = self._random.random() < self.malformed
            if self._over.wait(max(0.0, moment - self._clock())):
                break
            request_id = str(uuid.uuid4())
            body = _MALFORMED if malformed else self._bodies[sample]
            answer = connection.post(self._path, body, x_request_id=request_id, **self._headers)
            seconds = self._clock() - moment
            self.sent.append(
                Sent(request_id, time.time(), seconds, answer.status, answer.version, sample, malformed, answer.error)
            )
        connection.close()


def due(rate: float, source: random.Random) -> Iterator[float]:
    """Seconds after the beginning at which requests are due: a Poisson process of `rate` a second."""
    return itertools.accumulate(source.expovariate(rate) for _ in itertools.count())
