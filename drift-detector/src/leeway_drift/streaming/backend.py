"""Detectors that need raw rows, much time, or another environment: they run beside the stream, never in its way."""

from collections.abc import Sequence
from typing import Protocol

from leeway_drift.detectors.interface import Judgement, Window
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream


class BackendUnavailable(Exception):  # noqa: N818 - it says what is the case
    """The backend cannot judge now; the message says why, and becomes the reason of what is insufficient."""


class RowBackend(Protocol):
    """Judges samples of rows."""

    @property
    def name(self) -> str:
        """What judges, for telling how long it takes: it is asked for all of its detectors at once."""

    @property
    def detectors(self) -> Sequence[str]:
        """Names of the detectors whose judgements it gives, for saying what is insufficient without it."""

    def judge(self, stream: Stream, profile: Profile, reference: bytes | None, window: Window) -> Sequence[Judgement]:
        """Judge a closed window; may take seconds.

        Args:
            stream: whose window it is.
            profile: of the version.
            reference: the bundle's ``drift-reference.npz``, None if it has none.
            window: with a sample of its rows.

        Raises:
            BackendUnavailable: not now.
        """
