"""Starts the components of a simulated fleet, each in its own environment, and asks them what Prometheus would ask."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster import paths

_HERE = Path(__file__).parent
COMPONENTS: Mapping[str, str] = {
    "onnx-server": "model/serving",
    "drift-detector": "drift-detector",
    "operators": "operators",
}
"""Folder of each component's package, in whose environment its metrics are made."""
_PROGRAMS = {"onnx-server": "server", "drift-detector": "detector", "operators": "operator"}


@dataclass(frozen=True)
class Pod:
    """A pod that is scraped.

    Attributes:
        component: in whose process its metrics are made.
        namespace: of the pod.
        name: of the pod.
        labels: of the pod.
        port: of this machine, at which `/<name>` answers.
        process: that answers.
    """

    component: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    port: int
    process: int

    @property
    def monitor(self) -> str:
        """What the chart calls that which scrapes it."""
        if "leeway.dev/model" in self.labels:
            return "models"
        return self.labels.get("app.kubernetes.io/component", "gateway")

    @property
    def cpu_seconds(self) -> float:
        """That the process which answers has used so far."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, proc(5)

    def scrape(self) -> str:
        """Its metrics, in the text format."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{self.name}") as answer:
            text: str = answer.read().decode()
            return text


@contextmanager
def running(models: int, versions: int, features: int) -> Iterator[list[Pod]]:
    """The pods of a fleet: so many versions of each model, of so many features.

    Raises:
        RuntimeError: a component said nothing; what it complained of is on standard error.
    """
    with ExitStack() as stack:
        size = [str(models), str(versions), str(features)]
        started = {
            component: stack.enter_context(_component(component, size)) for component in COMPONENTS
        }  # all at once: the detector takes a while
        yield [pod for component, process in started.items() for pod in _pods(component, process)]


def detector_memory(versions: int, features: int, inferences: int, beside: int) -> dict[str, int]:
    """What `cardinality_memory.py` says, of a detector that does nothing else."""
    program = str(_HERE / "cardinality_memory.py")
    size = [str(number) for number in (versions, features, inferences, beside)]
    done = subprocess.run(
        [*_python(), program, *size],
        cwd=paths.REPOSITORY / COMPONENTS["drift-detector"],
        env=_environment(),
        check=True,
        stdout=subprocess.PIPE,
    )
    told: dict[str, int] = json.loads(done.stdout)
    return told


@contextmanager
def _component(component: str, size: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A component of the fleet, which ends with its standard input."""
    with subprocess.Popen(
        [*_python(), str(_HERE / f"cardinality_{_PROGRAMS[component]}.py"), *size],
        cwd=paths.REPOSITORY / COMPONENTS[component],
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        if process.stdin is not None:
            process.stdin.close()


def _python() -> list[str]:
    """Python in the environment of the package whose folder it is started in."""
    return [str(paths.uv()), "run", "--quiet", "--frozen", "--all-extras", "python"]


def _environment() -> dict[str, str]:
    """Without the environment of this program, whose packages are others."""
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | {"OMP_NUM_THREADS": "1"}


def _pods(component: str, process: subprocess.Popen[str]) -> list[Pod]:
    line = "" if process.stdout is None else process.stdout.readline()
    if not line:
        raise RuntimeError(f"{component}: expected a line that says where it listens, and it ended")
    told = json.loads(line)
    return [Pod(component, port=told["port"], process=told["process"], **pod) for pod in told["pods"]]
