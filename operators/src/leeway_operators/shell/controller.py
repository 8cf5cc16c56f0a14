"""Turns changes of the cluster into reconciliations: watchers fill a queue, workers empty it, one key one worker."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Protocol

from leeway_operators.core import objects
from leeway_operators.shell import api
from leeway_operators.shell.logs import text_of, told_of
from leeway_operators.shell.metrics import Metrics
from leeway_operators.shell.queue import Key, Queue
from leeway_operators.shell.reconcile import Entered, Reconciled
from leeway_operators.shell.tracing import Looks, attributes_of, untraced

log = logging.getLogger(__name__)

# After this long a watch ends and everything is listed, and so looked at, anew: a missed change heals.
RESYNC_SECONDS = 60
_RETRY_SECONDS = 5.0
_BEAT = timedelta(seconds=10)
# Models that are looked at side by side: a look mostly waits, for the API server, pods and the sources of evidence.
WORKERS = 8
# What we watch, with the selector and where the key is: a rollout's own name, or our label.
WATCHED = (
    (api.ROLLOUTS, ""),
    (api.INFERENCE_SERVICES, objects.LABEL_MODEL),
    (api.DEPLOYMENTS, objects.LABEL_MODEL),
    (api.ROUTES, objects.LABEL_MODEL),
)


class Watching(Protocol):
    """Where changes come from."""

    def watch(
        self, resource: api.Resource, namespace: str | None, selector: str, seconds: int
    ) -> Iterator[dict[str, Any] | None]:
        """Every object there is, then None, then every object that changes, for some seconds."""


class Controller:
    """Runs until `stop`."""

    def __init__(
        self,
        cluster: Watching,
        namespace: str | None,
        *,
        reconcile: Callable[[str, str, Entered], Reconciled | None],
        queue: Queue,
        metrics: Metrics,
        monotonic: Callable[[], float],
        looks: Looks = untraced,
    ) -> None:
        """`namespace` None is all of them."""
        self._cluster = cluster
        self._namespace = namespace
        self._reconcile = reconcile
        self._queue = queue
        self._metrics = metrics
        self._monotonic = monotonic
        self._looks = looks
        self._stopping = threading.Event()
        self._listed: set[api.Resource] = set()
        self._beats: dict[int, float] = {}
        self._workers: list[threading.Thread] = []

    @property
    def ready(self) -> bool:
        """True once every watched kind has been listed."""
        return len(self._listed) == len(WATCHED)

    @property
    def alive(self) -> bool:
        """False if a worker has been in one reconciliation for five minutes, or has died."""
        longest = timedelta(minutes=5).total_seconds()
        return all(self._monotonic() - beat < longest for beat in tuple(self._beats.values()))

    def start(self) -> None:
        """Start one thread per watched kind, and the workers."""
        self._workers = [
            threading.Thread(target=self.work, args=(number,), name=f"worker-{number}") for number in range(WORKERS)
        ]
        for worker in self._workers:
            worker.start()
        for resource, selector in WATCHED:
            threading.Thread(
                target=self._watch, args=(resource, selector), name=f"watch-{resource.plural}", daemon=True
            ).start()

    def stop(self, wait: timedelta) -> None:
        """Let each worker return after the reconciliation it is at, and wait for that, but not for longer."""
        self._stopping.set()
        self._queue.close()
        end = self._monotonic() + wait.total_seconds()
        for worker in self._workers:
            worker.join(max(end - self._monotonic(), 0))

    def work(self, worker: int) -> None:
        """Reconcile what is due until `stop`."""
        while not self._stopping.is_set():
            self._beats[worker] = self._monotonic()
            key = self._queue.pop(_BEAT)
            if key is not None:
                try:
                    self.work_on(key)
                finally:
                    self._queue.done(key)

    def work_on(self, key: Key) -> None:
        """One reconciliation; an error is logged, counted and tried again later."""
        look = self._looks(*key)
        try:
            with self._metrics.duration.time():
                result = self._reconcile(*key, look.enter)
        except api.StaleError as error:
            look.end({}, error=error)
            # Somebody was faster, and what they wrote is looked at next.
            self._queue.add(key)
            return
        except Exception as error:
            # Whatever it was (API server away, conflict, an object we cannot read): level-triggered means trying again.
            self._metrics.failed(key)
            delay = self._queue.failed(key)
            trace_id = look.end({}, error=error)
            about = {"namespace": key[0], "model": key[1], "trace_id": trace_id, "error": text_of(error)}
            fields = {"again_in_seconds": delay.total_seconds()}
            log.exception("the reconciliation failed", extra={**about, "fields": fields})
            return
        trace_id = look.end(attributes_of(result))
        self._queue.succeeded(key)
        self._metrics.reconciled(key, result)
        if result is None:
            return
        if result.actions:
            log.info("reconciled", extra={**told_of(result), "trace_id": trace_id})
        if result.again_in is not None:
            self._queue.add(key, result.again_in)

    def _watch(self, resource: api.Resource, selector: str) -> None:
        while not self._stopping.is_set():
            try:
                for item in self._cluster.watch(resource, self._namespace, selector, RESYNC_SECONDS):
                    if item is None:
                        self._listed.add(resource)
                    elif (key := key_of(resource, item)) is not None:
                        self._queue.add(key)
            except Exception as error:  # noqa: BLE001
                # A watch ends in many ways (410 Gone, a lost connection, a CRD not there yet); all begin again.
                log.warning(
                    "a watch ended and begins again",
                    extra={"error": text_of(error), "fields": {"resource": resource.plural}},
                )
                self._stopping.wait(_RETRY_SECONDS)


def key_of(resource: api.Resource, item: Mapping[str, Any]) -> Key | None:
    """Whose rollout an object belongs to."""
    metadata = item.get("metadata", {})
    if "namespace" not in metadata:
        return None  # a watch's own Status object
    if resource == api.ROLLOUTS:
        return metadata["namespace"], metadata["name"]
    model = metadata.get("labels", {}).get(objects.LABEL_MODEL)
    return (metadata["namespace"], model) if model else None
