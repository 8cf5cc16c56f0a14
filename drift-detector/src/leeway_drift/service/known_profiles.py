"""The profiles that the engine judges by, and what it still waits for."""

import logging
from collections.abc import Callable, Sequence

from leeway_drift.detectors.interface import Detector
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.backend import BackendThread
from leeway_drift.service.config import WindowConfig
from leeway_drift.service.logs import about
from leeway_drift.service.profiles import NOT_FETCHED, Loaded, ProfileState, rules_of
from leeway_drift.streaming.judging import Rules

logger = logging.getLogger(__name__)


class KnownProfiles:
    """Profiles by version; of the engine's thread.

    Args:
        detectors: makes the detectors on counts of a profile.
        windows: overrides of the profiles' windows.
        backend: judges rows, and needs the reference for it; None if nobody does.
    """

    def __init__(
        self,
        detectors: Callable[[Profile], Sequence[Detector]],
        windows: WindowConfig,
        backend: BackendThread | None,
    ) -> None:
        self._detectors = detectors
        self._windows = windows
        self._backend = backend
        self._states: dict[Stream, ProfileState] = {}

    def state(self, stream: Stream) -> ProfileState:
        """What is known of a version's profile."""
        return self._states.get(stream, NOT_FETCHED)

    def rules(self, stream: Stream) -> Rules | None:
        """What a version's profile makes of its stream, None without one."""
        loaded = self.state(stream).loaded
        if loaded is None:
            return None
        return rules_of(
            loaded, self._windows, self._detectors, () if self._backend is None else self._backend.detectors
        )

    def take(self, stream: Stream, found: ProfileState, served: frozenset[str] = frozenset()) -> Rules | None:
        """Take what was fetched.

        Args:
            stream: the version.
            found: what was fetched of its bundle.
            served: digests of the bundles that its pods serve, where known.

        Returns:
            The rules of the stream from now on; None if there are none.
        """
        known = self.state(stream)
        if found.loaded is None and known.loaded is not None and not is_replaced(known.loaded, served):
            return self.rules(stream)  # what is known is better
        if found.state != known.state:
            fields = {"state": found.state, "reason": found.reason}
            logger.info("profile", extra={**about(stream), "fields": fields})
        self._states[stream] = found
        return self.rules(stream)

    def forget(self, stream: Stream) -> None:
        """A version is watched no more."""
        self._states.pop(stream, None)

    def lacks(self, loaded: Loaded | None, served: frozenset[str]) -> bool:
        """Whether something of the bundle that is served is still to be fetched; from any thread."""
        if loaded is None or is_replaced(loaded, served):
            return True
        return self._backend is not None and loaded.reference is None and loaded.has_reference


def is_replaced(loaded: Loaded, served: frozenset[str]) -> bool:
    """Whether a version's pods serve other bundles than the one that was loaded, and none of them serves that."""
    return bool(served) and loaded.bundle not in served
