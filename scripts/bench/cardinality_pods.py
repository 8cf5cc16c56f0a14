"""Pods of a simulated fleet: their names, and their metrics on a port of this machine.

Runs in the environment of the component whose metrics it exposes, so it imports nothing but prometheus_client.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

NAMESPACE = "models"
SLOTS = ("a", "b")


@dataclass(frozen=True)
class Fleet:
    """How much of everything there is."""

    models: int
    versions: int
    features: int

    @classmethod
    def of_arguments(cls) -> "Fleet":
        """As `bench.cardinality_fleet` calls this program."""
        return cls(*map(int, sys.argv[1:4]))

    def versions_of_models(self) -> Iterator[tuple[str, str, str]]:
        """Model, version and slot; the oldest version first, since the newer two run side by side."""
        for number in range(self.versions):
            for model in range(self.models):
                yield f"model-{model:02d}", f"1.{number}.0", SLOTS[number % 2]


@dataclass(frozen=True)
class Pod:
    """One pod, as Kubernetes' API would tell of it."""

    namespace: str
    name: str
    labels: dict[str, str]


Scraped = tuple[Pod, CollectorRegistry, Callable[[], None]]
"""A pod, its metrics, and what happens to it between two scrapes."""


def expose(pods: list[Scraped]) -> None:
    """Answer `GET /<pod>` with its metrics, on 127.0.0.1 alone, until standard input ends.

    Says where, and which pods there are, as one line of JSON.
    """
    by_path = {f"/{pod.name}": (registry, live) for pod, registry, live in pods}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            registry, live = by_path[self.path.partition("?")[0]]
            live()
            body = generate_latest(registry)
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE_LATEST)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes are no news."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    document = {"port": server.server_port, "process": os.getpid(), "pods": [asdict(pod) for pod, _, _ in pods]}
    print(json.dumps(document), flush=True)
    sys.stdin.read()


def nothing() -> None:
    """What happens to a pod whose counters stand still."""
