"""What every verb works with, and the ways one can end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeway_operators.cli.cluster import Cluster

FAILED, REFUSED, WAITED_IN_VAIN = 1, 3, 4


class EndedError(Exception):
    """The verb could not be carried out: a sentence for stderr, and the exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Session:
    """Everything that touches the world.

    Attributes:
        cluster: the API server.
        namespace: of the models asked for; None: all.
        now: the time, with its zone.
        sleep: waits for some seconds.
        say: prints a line.
        identity: a new id for a command.
    """

    cluster: Cluster
    namespace: str | None
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    identity: Callable[[], str]

    def rollout(self, name: str | None) -> dict[str, Any]:
        """The ModelRollout of that name; without a name the only one there is.

        Raises:
            EndedError: there is none, or no single one.
        """
        if name is not None and self.namespace is not None:
            body = self.cluster.rollout(self.namespace, name)
            found = [body] if body is not None else []
        else:
            found = [item for item in self.cluster.rollouts(self.namespace) if name in (None, item["metadata"]["name"])]
        if not found:
            raise EndedError(f"no ModelRollout{f' named {name}' if name else ''} found{self._where()}")
        if len(found) > 1:
            names = ", ".join(sorted(item["metadata"]["name"] for item in found))
            raise EndedError(f"{len(found)} ModelRollouts{self._where()}, name one of them: {names}")
        return found[0]

    def _where(self) -> str:
        return f" in namespace {self.namespace}" if self.namespace is not None else ""
