"""What the pods of a slot say of themselves: which bundle they serve, and how many rows.

Coverage is how many of these rows came here as events.
"""

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

from leeway_drift.reading.events import Stream
from leeway_drift.service.pods import NoAnswer, TooLong, get
from leeway_drift.service.views import Views

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0
SETTLE_SECONDS = 2.0
"""What was served a moment ago is still on its way here: rows seen are read that much later than rows served."""
SPAN_SECONDS = 120.0
FRESH_SECONDS = 45.0
"""Age of the last reading at which nobody knows the coverage any more: nobody scrapes for so long unless it fails."""
METRICS_BYTES = 4 * 2**20
_ROWS = "leeway_inference_rows_total"
_INFO = "leeway_inference_model_info"

Slot = tuple[str, str, str]
Counters = Mapping[str, float]
"""Rows served so far by pod."""


@dataclass(frozen=True, slots=True)
class Pod:
    """What a pod says of itself.

    Attributes:
        rows: served so far.
        bundles: digest of the bundle that it serves, by version; none for a model without one.
    """

    rows: float
    bundles: Mapping[str, str]


class Scrape(Protocol):
    """Reads what each pod of a slot says of itself."""

    def __call__(self, slot: Slot) -> Mapping[str, Pod]:
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

    def ratio(self, now: float) -> float | None:
        """Rows seen over rows served, at most 1 (the two are not read at one moment); of nothing, nothing is missed.

        None if that was not read yet, or last too long ago. A clock that was set back has no past.
        """
        while self.samples and not 0 <= now - self.samples[0][0] <= SPAN_SECONDS:
            self.samples.popleft()
        if not self.samples or now - self.samples[-1][0] > FRESH_SECONDS:
            return None
        served = sum(sample[2] for sample in self.samples)
        seen = sum(sample[1] for sample in self.samples)
        return min(1.0, seen / served) if served else 1.0


def http_scrape(client: httpx.Client, resolve: Callable[[str], list[str]]) -> Scrape:
    """Reads the metrics of every pod behind the headless Service of a slot."""

    def scrape(slot: Slot) -> Mapping[str, Pod]:
        namespace, model, name = slot
        host = f"{model}-{name}-bundle.{namespace}.svc"
        pods: dict[str, Pod] = {}
        for address in resolve(host):
            pod = _pod(client, f"[{address}]" if ":" in address else address)
            if pod is not None:
                pods[address] = pod
        return pods

    return scrape


def resolve_host(host: str) -> list[str]:
    """Addresses of all pods behind a headless Service; none if it does not exist."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(address[4][0]) for address in found})


def _pod(client: httpx.Client, address: str) -> Pod | None:
    try:
        body = get(client, f"http://{address}:8082/metrics", METRICS_BYTES)
        samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    except (NoAnswer, TooLong, ValueError):
        return None
    rows = [sample.value for sample in samples if sample.name == _ROWS]
    if not rows or not all(0 <= value < math.inf for value in rows):
        return None
    info = [sample.labels for sample in samples if sample.name == _INFO]
    return Pod(
        sum(rows), {labels["version"]: labels["digest"] for labels in info if {"version", "digest"} <= {*labels}}
    )


class CoverageThread:
    """Asks the pods of all slots that have events, every few seconds.

    Args:
        scrape: reads what the pods say.
        views: what the engine has seen.
        found: takes the ratios by slot, of those that are known; called by this thread, as is
        serving: takes the digests of the bundles that are served, by version.
        clock: seconds.
    """

    def __init__(
        self,
        scrape: Scrape,
        views: Callable[[], Views],
        *,
        found: Callable[[Mapping[Slot, float]], None],
        serving: Callable[[Mapping[Stream, frozenset[str]]], None],
        clock: Callable[[], float],
    ) -> None:
        self._scrape = scrape
        self._views = views
        self._found = found
        self._serving = serving
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

    def read(self) -> Mapping[Slot, Mapping[str, Pod]]:
        """Ask all pods once, and tell which bundles they serve."""
        pods: dict[Slot, Mapping[str, Pod]] = {}
        for slot in self._seen():
            if self._stopping.is_set():
                break
            pods[slot] = self._scrape(slot)
        digests: dict[Stream, set[str]] = {}
        for (namespace, model, _), answers in pods.items():
            for version, digest in (entry for pod in answers.values() for entry in pod.bundles.items()):
                digests.setdefault(Stream(namespace, model, version), set()).add(digest)
        self._serving({version: frozenset(served) for version, served in digests.items()})
        return pods

    def compare(self, pods: Mapping[Slot, Mapping[str, Pod]]) -> None:
        """Hold what the pods said a moment ago against what was seen by now."""
        now, seen = self._clock(), self._seen()
        self._slots = {slot: self._slots.get(slot, Coverage()) for slot in seen}
        for slot, coverage in self._slots.items():
            if answers := pods.get(slot):
                coverage.add(now, seen[slot], {name: pod.rows for name, pod in answers.items()})
        ratios = {slot: coverage.ratio(now) for slot, coverage in self._slots.items()}
        self._found({slot: ratio for slot, ratio in ratios.items() if ratio is not None})

    def _seen(self) -> dict[Slot, int]:
        seen: dict[Slot, int] = {}
        for stream, view in self._views().streams.items():
            for name, rows in view.rows_seen.items():
                if name:
                    slot = stream.namespace, stream.model, name
                    seen[slot] = seen.get(slot, 0) + rows
        return seen

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_SECONDS - SETTLE_SECONDS):
            try:
                pods = self.read()
                if not self._stopping.wait(SETTLE_SECONDS):
                    self.compare(pods)
            except Exception:  # a fault of our own must not end this for good; it is logged
                logger.exception("comparing rows seen with rows served failed")
