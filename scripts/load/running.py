"""locust in a process of its own: it replaces the standard library's sockets in the one it runs in."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from cluster import demo, paths
from cluster.https import Endpoint
from cluster.shell import CommandFailedError
from load.profiles import Shape

_SAMPLES = 1000
_PATIENCE = 20
"""Seconds that requests in flight have at the end."""


class Locust:
    """A run of locust; its files are in `folder`: `report.html`, `run_stats.csv` and others."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.folder = folder
        self._process = process

    def wait(self, seconds: float) -> None:
        """Wait for the end of the load.

        Raises:
            CommandFailedError: locust failed, or runs longer than this.
        """
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise CommandFailedError(f"locust still runs after {seconds:.0f} s; its log: {self._log}") from error
        if code != 0:
            raise CommandFailedError(f"locust ended with {code}; its log: {self._log}")

    def stop(self) -> None:
        """End the load early, if it runs: requests in flight are answered, files are written."""
        if self._process.poll() is None:
            self._process.terminate()
            self.wait(2 * _PATIENCE)

    @property
    def _log(self) -> Path:
        return self.folder / "locust.log"


@contextmanager
def locust(endpoint: Endpoint, shape: Shape, folder: Path, *, model: str = demo.MODEL) -> Iterator[Locust]:
    """Load a model until the shape, or the block, ends.

    Args:
        endpoint: of the model.
        shape: of the load.
        folder: for locust's files; what is there already is removed.
        model: its name.

    Raises:
        CommandFailedError: locust failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.iterdir():
        stale.unlink()
    command = [
        sys.executable, "-m", "locust", "--locustfile", str(Path(__file__).with_name("locustfile.py")), "--headless",
        "--only-summary", "--stop-timeout", str(_PATIENCE), "--html", str(folder / "report.html"),
        "--csv", str(folder / "run"), "--exit-code-on-error", "0",
    ]  # fmt: skip
    scripts = str(paths.REPOSITORY / "scripts")
    environment = {**os.environ, "LEEWAY_LOAD_PLAN": str(_plan(endpoint, shape, folder, model)), "PYTHONPATH": scripts}
    with (folder / "locust.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    running = Locust(process, folder)
    try:
        yield running
    finally:
        running.stop()


def _plan(endpoint: Endpoint, shape: Shape, folder: Path, model: str) -> Path:
    """Write down what the locustfile is to do."""
    bodies, plan = folder / "bodies.ndjson", folder / "plan.json"
    lines = (json.dumps(sample["v2"]) for sample in demo.samples(_SAMPLES))
    bodies.write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = {
        "shape": asdict(shape),
        "hostname": endpoint.hostname,
        "address": endpoint.address,
        "authority": str(endpoint.authority),
        "path": f"/v2/models/{model}/infer",
        "bodies": str(bodies),
    }
    plan.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return plan
