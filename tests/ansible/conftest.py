import functools
import http.server
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from cluster import demo
from images.build import bundle_identity
from machine import server_package, target
from machine.playbooks import Controller
from machine.target import Target


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server gives it
        """Says nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the target can fetch."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """Where the target fetches it."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{target.HOST}:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A Debian for the tests of one module, which build on each other in their order."""
    if os.geteuid() != 0:
        pytest.fail("a machine in namespaces of its own needs root")
    folder = tmp_path_factory.mktemp("target") / "machine"
    # By this process's id, so that two runs do not meet.
    with target.booted(folder, name=f"leewayvm{os.getpid()}", ports=(443, 6443, 8080)) as one:
        yield one


@pytest.fixture(scope="module")
def controller(machine: Target, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return Controller(machine, tmp_path_factory.mktemp("controller"))


@pytest.fixture(scope="module")
def settings(folder: Path, url: str) -> Mapping[str, str]:
    """What a person fills into user-data.sh for the flights model."""
    archive, sha256 = server_package.build(folder)
    bundle = demo.train(demo.VERSION)
    server_package.pack_bundle(bundle, folder / "flights.tar.gz")
    return {
        "PACKAGE_URL": f"{url}/{archive.name}",
        "PACKAGE_SHA256": sha256,
        "BUNDLE_URL": f"{url}/flights.tar.gz",
        "BUNDLE_DIGEST": bundle_identity(bundle)[1],
        "MODEL_NAME": "flights",
        "LISTEN": "0.0.0.0",  # noqa: S104 - of the machine, which nobody else reaches
    }
