"""Flights in order of time, as columns: read once from training's environment; pure but for `load`."""

import hashlib
import json
import os
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import paths
from cluster.shell import run

Columns = dict[str, list[Any]]

_TRAINING = paths.REPOSITORY / "model/training"
_EXPORT = Path(__file__).with_name("export.py")


@dataclass(frozen=True)
class Flights:
    """Rows in order of time.

    Attributes:
        times: scheduled departure, seconds since the epoch.
        columns: the model's inputs by name; None is a missing value.
        labels: what came true, 0 or 1; empty where nobody asks for it.
    """

    times: list[int]
    columns: Columns
    labels: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.times)

    def part(self, start: int, end: int) -> "Flights":
        """Rows start to end."""
        columns = {name: values[start:end] for name, values in self.columns.items()}
        return Flights(self.times[start:end], columns, self.labels[start:end])

    def since(self, time: float) -> "Flights":
        """Rows from a time on."""
        return self.part(bisect_left(self.times, time), len(self))

    def until(self, time: float) -> "Flights":
        """Rows before a time."""
        return self.part(0, bisect_left(self.times, time))

    def batches(self, rows: int) -> Iterator["Flights"]:
        """Consecutive parts of `rows` rows; the rest that is smaller is left out."""
        for start in range(0, len(self) - rows + 1, rows):
            yield self.part(start, start + rows)


def load() -> tuple[Flights, Flights]:
    """Return the flights of the test period (September to December) and 10,000 of those of training.

    Raises:
        CommandFailedError: training's environment could not read them.
    """
    digest = hashlib.sha256(_EXPORT.read_bytes())
    for file in (
        _TRAINING / "uv.lock",
        *sorted(_TRAINING.glob("src/**/*.py")),
        *sorted(_TRAINING.glob("src/**/*.yaml")),
    ):
        digest.update(file.read_bytes())
    file = paths.cache() / "bundles" / f"drill-flights-{digest.hexdigest()[:12]}.json"
    if not file.exists():
        for stale in file.parent.glob("drill-flights-*"):
            stale.unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{os.getpid()}-{file.name}")  # several drills may begin at once
        run(
            [paths.uv(), "run", "--frozen", "--no-dev", "--extra", "examples", "python", _EXPORT, "--output", fresh],
            log=paths.cache() / "logs" / "training.log", cwd=_TRAINING, env={"VIRTUAL_ENV": ""},
        )  # fmt: skip
        fresh.rename(file)
    document = json.loads(file.read_text(encoding="utf-8"))
    parts = (document[name] for name in ("test", "train"))
    test, train = (Flights(part["times"], part["columns"], part["labels"]) for part in parts)
    return test, train


def v2(columns: Columns) -> dict[str, Any]:
    """Write rows as an Open Inference Protocol V2 request: one tensor `[rows, 1]` per column."""
    return {
        "inputs": [
            {
                "name": name,
                "datatype": "BYTES" if any(isinstance(value, str) for value in values) else "FP32",
                "shape": [len(values), 1],
                "data": values,
            }
            for name, values in columns.items()
        ]
    }
