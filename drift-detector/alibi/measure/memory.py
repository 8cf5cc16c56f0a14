# noqa: INP001 - a program, in no package
"""Memory of the detector while it has nothing to do, by backend, and of Alibi-Detect's worker at its first window.

``flights.py`` beside this file writes what is read here. Run in drift-detector/alibi, with the detector's environment
in drift-detector/.venv:

    uv run --frozen python measure/memory.py FOLDER
"""

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from measure import Served

from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.alibi import AlibiBackend

DETECTOR = Path(__file__).parents[2] / ".venv/bin/leeway-drift"
WORKER = Path(sys.executable).with_name("leeway-alibi")
START_SECONDS = 60.0


def main(folder: Path) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        for backend in ("native", "alibi"):
            sys.stdout.write(f"detector, {backend}, idle: {_detector(Path(scratch) / backend, backend):.0f} MB\n")
        sys.stdout.write(_worker(folder, Path(scratch)))


def _detector(directory: Path, backend: str) -> float:
    directory.mkdir()
    config = directory / "config.json"
    config.write_text(json.dumps({"backend": backend}))
    ports = [_free_port(), _free_port()]
    options = ("--config", config, "--data-dir", directory, "--port", ports[0], "--metrics-port", ports[1])
    process = subprocess.Popen([DETECTOR, "serve", *map(str, options)], stderr=subprocess.DEVNULL)
    try:
        _await(f"http://127.0.0.1:{ports[0]}/health/ready")
        return _resident(process.pid)
    finally:
        process.terminate()
        process.wait()


def _worker(folder: Path, scratch: Path) -> str:
    profile = Profile.parse(json.loads((folder / "drift-profile.json").read_text()))
    reference = (folder / "drift-reference.npz").read_bytes()
    backend = AlibiBackend(clock=time.monotonic, scratch=scratch, command=[str(WORKER)])
    window = Served.read(folder, profile).window(0)
    before = _cpu_of_children()
    backend.judge(Stream("default", "flights", "1.0.0"), profile, reference, window)
    (pid,) = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    resident = _resident(int(pid))
    backend.close()
    return f"worker, first window: {resident:.0f} MB; {_cpu_of_children() - before:.1f} s of CPU with its start\n"


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _resident(pid: int) -> float:
    """Resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kib,) = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return int(kib) * 1024 / 1e6


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - an address of our own
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
