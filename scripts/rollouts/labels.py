"""True labels for predictions that were made, some time after them, as a business would send them."""

import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rollouts.manifests import Site
from rollouts.traffic import Sent

_EVERY_SECONDS = 2.0
_AT_ONCE = 500


def items(sent: Sequence[Sent], samples: Sequence[Mapping[str, Any]], site: Site) -> list[dict[str, Any]]:
    """Return what `/v1/feedback` takes for the requests that got a prediction."""
    return [
        {"id": one.id, "namespace": site.namespace, "model": site.name, "label": samples[one.sample]["label"]}
        for one in sent
        if not one.failed and not one.malformed
    ]


class Labels:
    """Sends the label of each answered request, a little later, until the block ends.

    Args:
        send: takes items, as `drill.detector.Detector.feedback` does.
        sent: the growing log of the traffic.
        samples: what the traffic asked about.
        site: the model's.
        after: seconds from an answer to its label; the detector has to have seen the prediction by then.
    """

    def __init__(
        self,
        send: Callable[[list[dict[str, Any]]], object],
        sent: Sequence[Sent],
        samples: Sequence[Mapping[str, Any]],
        site: Site,
        *,
        clock: Callable[[], float],
        after: float = 5.0,
    ) -> None:
        self._send, self._sent, self._samples, self._site = send, sent, samples, site
        self._clock, self._after = clock, after
        self._done = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            self.send_due()

    def send_due(self) -> None:
        """Send the labels whose time has come; those that the detector does not take are lost, as they would be."""
        ripe, latest = self._done, self._clock() - self._after
        while ripe < len(self._sent) and ripe - self._done < _AT_ONCE and self._sent[ripe].time <= latest:
            ripe += 1
        batch, self._done = list(self._sent[self._done : ripe]), ripe
        if due := items(batch, self._samples, self._site):
            self._send(due)
