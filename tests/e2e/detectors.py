"""Drift detectors of releases of their own, beside the platform's: one that loses events, and one that dies.

What happens to them costs nobody else an event, so that drift is found meanwhile, and their alerts' minutes pass while
other stories go on.
"""

import json
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Any

from story import Story, eventually

from cluster import up
from cluster.addons import monitoring
from cluster.shell import run
from drill.alerts import mailbox
from drill.api import ApiServer

# Half a core takes a few batches a second; 32 of them wait for it, and what is more is lost.
_RESOURCES = {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"cpu": "500m", "memory": "1Gi"}}
_BATCHES_A_SECOND, _FLOOD_SECONDS = 40, 4
# The next flood comes before the ten minutes that the alert looks at have forgotten this one.
_PAUSE_SECONDS = 240.0
_FLOOD = Path(__file__).with_name("flood.py")


class OwnDetector:
    """A detector without models, whose alerts go to the inbox of the drills.

    Args:
        story: the cluster.
        name: what the names of its namespace and release begin with.
    """

    def __init__(self, story: Story, name: str) -> None:
        self.name = f"{name}-{uuid.uuid4().hex[:4]}"
        self.deployment = f"{self.name}-leeway-drift-detector"
        self._story, self._kube = story, story.kube

    def install(self) -> None:
        """Install it, and wait until Prometheus has scraped it."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        inbox = mailbox.Mailbox(ApiServer(self._story.cluster.kubeconfig))
        # The Prometheus Operator leaves out receivers whose Secret is not there.
        self._kube.apply([namespace, inbox.secret(self.name)])
        self._kube.helm_install(self.name, up.CHART, namespace=self.name, values=self._values())
        monitors = monitoring.monitors(self._kube, self.name)

        def scraped() -> bool:
            return monitoring.unscraped(monitoring.targets(self._kube), monitors) == []

        eventually(scraped, seconds=180, what=f"a scrape of {self.deployment}")

    def address(self) -> str:
        """Where it takes events."""
        where = ("service", self.deployment, f"--namespace={self.name}")
        return str(json.loads(self._kube.kubectl("get", *where, "--output=json"))["spec"]["clusterIP"])

    def scale(self, replicas: int) -> None:
        """Have so many pods of it."""
        where = (f"deployment/{self.deployment}", f"--namespace={self.name}")
        self._kube.kubectl("scale", *where, f"--replicas={replicas}")

    def remove(self) -> None:
        """Leave nothing of it; nobody waits for that."""
        self._kube.kubectl("delete", "namespace", self.name, "--ignore-not-found", "--wait=false")

    def _values(self) -> dict[str, Any]:
        return {
            # Its rules say nothing of the models that the platform's detector looks after.
            "operator": {"enabled": False, "watchNamespace": self.name},
            "crds": {"install": False},
            "gateway": {"create": False},
            "images": self._story.values["images"],
            "driftDetector": {"resources": _RESOURCES},
            **mailbox.values(),
        }


class OwnDetectors:
    """One that is sent more events than it can take, again and again, and one that nobody sends anything.

    Attributes:
        begun: when the first flood began, on the clock of `time.monotonic`.
    """

    def __init__(self, story: Story) -> None:
        self.lossy, self.doomed = OwnDetector(story, "lossy"), OwnDetector(story, "doomed")
        self.begun = 0.0
        self._over = Event()
        self._floods = Thread(target=self._flood_again)

    def begin(self) -> None:
        """Install both, and begin the floods; the first one is over then."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(OwnDetector.install, (self.lossy, self.doomed)))
        self.begun = time.monotonic()
        self._flood()
        self._floods.start()

    def end(self) -> None:
        """End the floods and remove both; what is gone already stays so."""
        self._over.set()
        if self._floods.is_alive():
            self._floods.join()
        for detector in (self.lossy, self.doomed):
            detector.remove()

    def _flood(self) -> None:
        flood = [sys.executable, _FLOOD, self.lossy.address(), "0.0.0-lossy", _FLOOD_SECONDS, _BATCHES_A_SECOND]
        # Whoever asks a model for predictions shall not have to share the machine's cores with it.
        run(["nice", "-n", "19", *map(str, flood)])

    def _flood_again(self) -> None:
        while not self._over.wait(_PAUSE_SECONDS):
            self._flood()
