"""Coverage: of the rows that a slot's pods say they served, how many came here as events."""

import logging
import math
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx
from prometheus_client.parser import text_string_to_metric_families

from leeway_drift.service.pods import NoAnswer, TooLong, get
from leeway_drift.service.views import Views

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 15.0
SPAN_SECONDS = 300.0
METRICS_BYTES = 4 * 2**20
_ROWS = "leeway_inference_rows_total"

Slot = tuple[str, str, str]
Counters = Mapping[str, float]
"""Rows served so far by pod."""


class Scrape(Protocol):
    """Reads how many rows each pod of a slot has served."""

    def __call__(self, slot: Slot) -> Counters:
        """By pod; nothing of a pod that does not answer."""


@dataclass(slots=True)
class Coverage:
    """Rows seen and served of one slot over the last minutes.

    Attributes:
        samples: (time, rows seen and rows served since the last one), oldest first.
    """

    samples: deque[tuple[float, float, float]] = field(default_factory=deque)
    _served: dict[str, float] = field(default_factory=dict)
    _seen: int | None = None

    def add(self, now: float, seen: int, served: Counters) -> None:
        """Take what the counters say now.

        A pod that is new, or whose counter fell because it started anew, counts from there on: what it had served
        before was not seen in these minutes either.
        """
        increase = sum(max(0.0, rows - self._served.get(pod, rows)) for pod, rows in served.items())
        if self._seen is not None:
            self.samples.append((now, max(0, seen - self._seen), increase))
        self._seen = seen
        self._served = dict(served)
        while self.samples and now - self.samples[0][0] > SPAN_SECONDS:
            self.samples.popleft()

    @property
    def ratio(self) -> float | None:
        """Rows seen over rows served, at most 1 (the two are not read at one moment); None if none were served."""
        served = sum(sample[2] for sample in self.samples)
        seen = sum(sample[1] for sample in self.samples)
        return min(1.0, seen / served) if served else None


def http_scrape(client: httpx.Client, resolve: Callable[[str], list[str]]) -> Scrape:
    """Reads the metrics of every pod behind the headless Service of a slot."""

    def scrape(slot: Slot) -> Counters:
        namespace, model, name = slot
        host = f"{model}-{name}-bundle.{namespace}.svc"
        served: dict[str, float] = {}
        for address in resolve(host):
            rows = _rows(client, f"[{address}]" if ":" in address else address)
            if rows is not None:
                served[address] = rows
        return served

    return scrape


def resolve_host(host: str) -> list[str]:
    """Addresses of all pods behind a headless Service; none if it does not exist."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(address[4][0]) for address in found})


def _rows(client: httpx.Client, address: str) -> float | None:
    try:
        body = get(client, f"http://{address}:8082/metrics", METRICS_BYTES)
        families = text_string_to_metric_families(body.decode())
        rows = [sample.value for family in families for sample in family.samples if sample.name == _ROWS]
    except (NoAnswer, TooLong, ValueError):
        return None
    return sum(rows) if all(0 <= value < math.inf for value in rows) else None


class CoverageThread:
    """Compares, every few seconds, for all slots that have events.

    Args:
        scrape: reads the servers' counters.
        views: what the engine has seen.
        found: takes the ratios by slot; called by this thread.
        clock: seconds.
    """

    def __init__(
        self,
        scrape: Scrape,
        views: Callable[[], Views],
        found: Callable[[Mapping[Slot, float]], None],
        clock: Callable[[], float],
    ) -> None:
        self._scrape = scrape
        self._views = views
        self._found = found
        self._clock = clock
        self._slots: dict[Slot, Coverage] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="coverage", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the request that is under way."""
        self._stopping.set()
        self._thread.join()

    def compare(self) -> None:
        """Read all counters once; the thread does so every few seconds."""
        seen: dict[Slot, int] = {}
        for stream, view in self._views().streams.items():
            for name, rows in view.rows_seen.items():
                if name:
                    slot = stream.namespace, stream.model, name
                    seen[slot] = seen.get(slot, 0) + rows
        self._slots = {slot: self._slots.get(slot, Coverage()) for slot in seen}
        for slot, coverage in self._slots.items():
            if self._stopping.is_set():
                return
            if served := self._scrape(slot):
                coverage.add(self._clock(), seen[slot], served)
        self._found({slot: ratio for slot, known in self._slots.items() if (ratio := known.ratio) is not None})

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_SECONDS):
            try:
                self.compare()
            except Exception:  # a fault of our own must not end this for good; it is logged
                logger.exception("comparing rows seen with rows served failed")
