"""What a machine must bring itself, checked before anything is built for half an hour."""

import os
import platform

from cluster.shell import CommandFailedError, run

# Kubernetes is built with the minor of Go that its release was made with: a newer one gave a broken OpenAPI document.
GO = "go1.26"


def problems(*, user: int, machine: str, go: str | None) -> list[str]:
    """Return what is missing and how to mend it, one sentence each; nothing if all is there.

    Args:
        user: the effective user id.
        machine: the processor, as uname says it.
        go: what `go env GOVERSION` prints, or None without Go.
    """
    found = []
    if user != 0:
        found.append("root is needed, for namespaces and mounts: run it as root, or with sudo -E")
    if machine != "x86_64":
        found.append(f"this machine is {machine}; expected x86_64, which the ready-made parts are built for")
    if go is None:
        found.append(f"Go is missing: install {GO} and put its bin folder on PATH")
    elif not (go == GO or go.startswith(f"{GO}.")):
        found.append(f"Go on PATH is {go}; expected {GO}, which this Kubernetes is made with")
    return found


def check() -> None:
    """Raise unless this machine has all that is needed.

    Raises:
        RuntimeError: something is missing; the message names all of it.
    """
    try:
        go: str | None = run(["go", "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}).strip()
    except CommandFailedError:
        go = None
    if missing := problems(user=os.geteuid(), machine=platform.machine(), go=go):
        raise RuntimeError("\n".join(missing))
