"""What `leeway-verify --inject` injects and follows itself: faults that need nothing but Kubernetes."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster import demo, paths
from cluster.addons import monitoring
from drill.alerts import mailbox
from drill.alerts.catalog import Drill
from drill.alerts.follow import DELIVERY, World
from drill.alerts.outcome import Outcome, in_slack, outcome_of

_OPERATORS = paths.REPOSITORY / "operators"
_CAME_TO_A_RESULT = (0, 1)  # without and with gaps
_POLL_SECONDS = 2.0


class VerifyFailedError(RuntimeError):
    """leeway-verify came to no result; the message is its own."""


Start = Callable[[Sequence[str]], "subprocess.Popen[str]"]
"""Starts leeway-verify with arguments; standard output and standard error are pipes."""


def on(kubeconfig: Path) -> Start:
    """Return what starts leeway-verify of this checkout on a cluster."""

    def start(arguments: Sequence[str]) -> "subprocess.Popen[str]":
        # A group of its own: Ctrl-C in a terminal would reach it twice, the second time while it undoes its fault.
        return subprocess.Popen(
            [str(paths.uv()), "run", "--quiet", "--frozen", "leeway-verify", *arguments],
            cwd=_OPERATORS, text=True, start_new_session=True,
            env=os.environ | {"KUBECONFIG": str(kubeconfig), "VIRTUAL_ENV": ""},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


def follow(drill: Drill, start: Start, world: World, *, told: Callable[[Outcome], None]) -> Outcome:
    """Have leeway-verify inject a fault, follow it to Slack and back, and undo it.

    Args:
        drill: whose fault it knows.
        start: starts it.
        world: the cluster.
        told: called once the message is in Slack.

    Raises:
        VerifyFailedError: it could not; the fault is undone.
        Interrupted: everybody is to end; the fault is undone.
    """
    before, lines, written = len(world.messages()), list[str](), list[str]()
    known = outcome_of(drill)
    with start(arguments(drill, mailbox.URL)) as process:
        readers = [
            threading.Thread(target=lambda: written.append(process.stdout.read() if process.stdout else "")),
            threading.Thread(target=_say_all, args=(process.stderr, world, lines)),
        ]
        for reader in readers:
            reader.start()
        try:
            while process.poll() is None:
                if not known.title and in_slack(drill, world.messages()[before:], "FIRING"):
                    known = known.told(world.messages()[before:])
                    told(known)
                world.wait(_POLL_SECONDS)
        finally:
            if process.poll() is None:
                process.terminate()  # it undoes its fault first
            for reader in readers:
                reader.join()
    if process.returncode not in _CAME_TO_A_RESULT:
        raise VerifyFailedError(f"leeway-verify --inject {drill.alert}: {lines[-1] if lines else process.returncode}")
    return read(json.loads(written[0]), drill).told(world.messages()[before:])


def _say_all(lines: Iterable[str] | None, world: World, kept: list[str]) -> None:
    for line in lines or ():
        kept.append(line.rstrip())
        world.say(kept[-1])


def arguments(drill: Drill, inbox_url: str) -> list[str]:
    """Return what leeway-verify is told: that of a model alone knows no Prometheus, and is told the platform's."""
    namespace, release = (drill.name, drill.name) if drill.name else (demo.NAMESPACE, demo.RELEASE)
    return [
        f"--namespace={namespace}", f"--release={release}", f"--prometheus-url={monitoring.URL}",
        f"--inject={drill.alert}", f"--inbox-url={inbox_url}", "--output=json",
    ]  # fmt: skip


def read(document: Mapping[str, Any], drill: Drill) -> Outcome:
    """Return the outcome of a drill from the document that leeway-verify writes.

    Raises:
        VerifyFailedError: it has not followed this fault.
    """
    found = [fault for fault in document["faults"] if fault["alert"] == drill.alert]
    if len(found) != 1:
        raise VerifyFailedError(f"leeway-verify followed {len(found)} faults for {drill.alert}, expected one")
    (fault,) = found
    return outcome_of(
        drill,
        promised=fault["promised"] + DELIVERY,
        fired=fault["fired"],
        seconds=fault["told"],
        resolved_seconds=fault["resolved"],
        gap=fault["gap"],
    )
