"""What the autoscalers did during a run, as `kubectl get hpa` shows it."""

import csv
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cluster import demo
from cluster.addons.kube import Kube
from cluster.shell import CommandFailedError


@dataclass(frozen=True)
class Sample:
    """An HPA at a moment; `cpu` is the use in percent of the request, empty where the HPA does not know it."""

    second: int
    hpa: str
    replicas: int
    desired: int
    cpu: str


def samples(listed: dict[str, Any], *, second: int) -> Iterator[Sample]:
    """Read a list of HPAs, as the API server writes it."""
    for hpa in listed["items"]:
        status = hpa.get("status", {})
        current = [
            metric[kind]["current"]
            for metric in status.get("currentMetrics") or []
            for kind in ("containerResource", "resource")
            if kind in metric
        ]
        yield Sample(
            second,
            hpa["metadata"]["name"],
            status.get("currentReplicas", 0),
            status.get("desiredReplicas", 0),
            str(current[0].get("averageUtilization", "")) if current else "",
        )


def changes(trace: Iterable[Sample]) -> Iterator[Sample]:
    """Those samples in which replicas, or what is desired, are others than before."""
    last: dict[str, tuple[int, int]] = {}
    for sample in trace:
        now = sample.replicas, sample.desired
        if last.get(sample.hpa) != now:
            last[sample.hpa] = now
            yield sample


def write(trace: Sequence[Sample], file: Path) -> None:
    """Write all samples as CSV."""
    with file.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.writer(sink)
        writer.writerow(field.name for field in fields(Sample))
        writer.writerows(astuple(sample) for sample in trace)


class Watch:
    """Samples the HPAs of the model until the block ends."""

    def __init__(self, kube: Kube, clock: Callable[[], float], *, every: float) -> None:
        """Starts with `with`; `clock` counts seconds, `every` is their number between two samples."""
        self.trace: list[Sample] = []
        self._kube, self._clock, self._every, self._start = kube, clock, every, clock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begins."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            second = round(self._clock() - self._start)
            try:
                listed = self._kube.kubectl("get", "hpa", f"--namespace={demo.NAMESPACE}", "--output=json")
            except CommandFailedError:  # a sample that is missing is missing: the load goes on
                listed = '{"items": []}'
            found = samples(json.loads(listed), second=second)
            self.trace += [sample for sample in found if sample.hpa.startswith(f"{demo.MODEL}-")]
            if self._over.wait(self._every):
                return
