"""The trace of one request as the application sees it, and the one of a request that nobody traces."""

from collections.abc import Mapping
from typing import Protocol

Attributes = Mapping[str, str | int]


class Trace(Protocol):
    """A request from its head to the last byte of its answer."""

    @property
    def id(self) -> str | None:
        """Of the trace, 32 hex digits; None if the request is not traced."""

    @property
    def traceparent(self) -> str | None:
        """Names the request's span to those that go on with the trace; None if the request is not traced."""

    def enter(self, stage: str) -> None:
        """A stage begins, and the one before it ends."""

    def end(self, attributes: Attributes, *, failed: bool = False) -> None:
        """The request is over; `failed` if by a fault of ours."""


class Tracer(Protocol):
    """What decides whether a request is traced."""

    def begin(self, name: str, traceparent: bytes | None, waited: float) -> Trace:
        """A request begins to be answered.

        Args:
            name: method and route.
            traceparent: its header, whatever it says.
            waited: for its turn, in seconds; its first stage.
        """


class _Untraced:
    """Does nothing."""

    id = None
    traceparent = None

    def enter(self, stage: str) -> None:
        """Nobody wants to know."""

    def end(self, attributes: Attributes, *, failed: bool = False) -> None:
        """Nobody wants to know."""


UNTRACED: Trace = _Untraced()
