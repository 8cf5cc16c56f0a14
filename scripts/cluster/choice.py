"""What `make up` is told to bring, once for the life of a cluster: what is up keeps what it was started with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Choice(Generic[T]):
    """One of several.

    Attributes:
        variable: of the environment, that names one.
        offered: all of them by name; the first is brought when nothing is said.
    """

    variable: str
    offered: Mapping[str, T]

    @property
    def default(self) -> str:
        """The name of what is brought when nothing is said."""
        return next(iter(self.offered))

    def choose(self, asked: str, standing: str | None) -> T:
        """Return what `make up` goes by.

        Args:
            asked: what the variable says; empty is what the cluster has, or the default.
            standing: the name of what the cluster that is up has; None if none is up.

        Raises:
            ValueError: there is no such one.
            RuntimeError: the cluster has another, whose parts nobody would take away.
        """
        name = asked or standing or self.default
        if name not in self.offered:
            raise ValueError(f"{self.variable}={name}: expected one of {', '.join(self.offered)}")
        if standing is not None and name != standing:
            raise RuntimeError(f"{self.variable}={name}: the cluster that is up has {standing}; make down first")
        return self.offered[name]

    def remember(self, state: Path, name: str) -> None:
        """Keep with the cluster of this state folder what it was started with."""
        self._file(state).write_text(name, encoding="utf-8")

    def remembered(self, state: Path) -> str:
        """Return the name of what the cluster of this state folder was started with."""
        file = self._file(state)
        return file.read_text(encoding="utf-8") if file.exists() else self.default

    def _file(self, state: Path) -> Path:
        return state / self.variable.lower()
