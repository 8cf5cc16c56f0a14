"""The command `leeway-serve-faulty`: takes what `leeway-serve` takes, and FAULT from the environment."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import uvloop

from leeway_faulty.fault import Fault, fault_of
from leeway_faulty.model import FaultyModel
from leeway_serving import logs
from leeway_serving.loading import Served, load
from leeway_serving.main import settings_from
from leeway_serving.server import serve


def main() -> int:
    """Runs the server with the fault; 0 after a drained stop, 2 for a wrong command line or fault."""
    started = time.perf_counter()
    try:
        settings = settings_from(sys.argv[1:], os.environ)
        fault = fault_of(os.environ.get("FAULT", ""))
    except ValueError as error:
        sys.stderr.write(f"leeway-serve-faulty: {error}\n")
        return 2
    random = Random()  # noqa: S311 - which requests a test spoils is no secret
    logs.configure()

    def load_faulty(*what: Any, **how: Any) -> Served:
        return faulty(load(*what, **how), fault, random=random, sleep=time.sleep)

    uvloop.run(serve(settings, started=started, load=load_faulty))
    return 0


def faulty(served: Served, fault: Fault, *, random: Random, sleep: Callable[[float], None]) -> Served:
    """Returns the verified model with a fault around it; version, digest and files stay its own.

    Raises:
        ValueError: the model cannot have that fault.
    """
    return replace(served, model=FaultyModel(served.model, fault, random=random, sleep=sleep))
