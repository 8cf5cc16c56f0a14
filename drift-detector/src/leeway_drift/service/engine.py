"""The thread that does the work: decodes, counts, judges, and publishes what is known, while the sink only queues."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from leeway_drift.detectors.interface import Detector as WindowDetector
from leeway_drift.detectors.interface import Judgement
from leeway_drift.labels.records import Prediction
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.backend import BackendThread
from leeway_drift.service.config import WindowConfig
from leeway_drift.service.inbox import Answer, Inbox
from leeway_drift.service.known_profiles import KnownProfiles
from leeway_drift.service.logs import about
from leeway_drift.service.pace import Pace
from leeway_drift.service.profiles import Loaded, ProfileState
from leeway_drift.service.snapshots import SnapshotStore
from leeway_drift.service.views import Sharing, View, Views, view
from leeway_drift.streaming.detector import Closed, Detector
from leeway_drift.streaming.judging import Rules
from leeway_drift.streaming.live import SLOTS
from leeway_drift.streaming.parts import Part
from leeway_drift.streaming.streams import StreamState

logger = logging.getLogger(__name__)

STEP_EVENTS = 256
"""Events between two looks at what else there is to do."""
PUBLISHED_EVERY = 0.5
GATHERED_FOR = 0.02
"""Seconds for which events gather before a round: one for each of them would cost more than what it does."""
SAVED_EVERY = 5.0
SAVED_SHARE = 50
"""A snapshot that takes long, because there are many streams or the disk is slow, may take a fiftieth of the time."""

Slot = tuple[str, str, str]
"""Namespace, model and slot."""


class Log(Protocol):
    """Where predictions go; it never blocks."""

    def offer(self, prediction: Prediction, manifest: Mapping[str, Any] | None) -> None:
        """Take a prediction, with the manifest of the bundle that made it."""

    def forget(self, namespace: str, model: str, version: str) -> None:
        """A version is watched no more."""


class Shared(Protocol):
    """What all replicas count together; it never blocks."""

    def offer(self, parts: Sequence[Part], closed: int) -> None:
        """Take what was closed here, which is all up to this tick."""


class Engine:
    """Runs a detector in a thread of its own.

    Args:
        detector: nobody else may touch it, but for the network's side of its intake.
        detectors: makes the detectors on counts of a profile.
        windows: overrides of the profiles' windows.
        backend: judges rows, in another thread; None if nobody does.
        snapshots: keeps the state over restarts; None if nothing is kept.
        kept: profiles from before a restart, by digest.

    Attributes:
        detector: as given.
        epoch: of this start: the operator's cursors of another one are worthless.
        log: takes predictions; None if nobody wants them.
        shared: takes closed ticks, if the detector shares them; None if it is alone.
        sharing: where judging is done.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        epoch: str,
        detectors: Callable[[Profile], Sequence[WindowDetector]],
        windows: WindowConfig,
        backend: BackendThread | None = None,
        snapshots: SnapshotStore | None = None,
        kept: Callable[[str], Loaded | None] = lambda _: None,
    ) -> None:
        self.detector = detector
        self.epoch = epoch
        self._backend = backend
        self.log: Log | None = None
        self.shared: Shared | None = None
        self.sharing = Sharing()
        self._snapshots = snapshots
        self._kept = kept
        self._profiles = KnownProfiles(detectors, windows, backend)
        self._coverage: Mapping[Slot, float] = {}
        self._bundles: Mapping[Stream, frozenset[str]] = {}
        self._views = Views()
        self._publishing = Pace(PUBLISHED_EVERY, detector.clock())
        self._saving = Pace(SAVED_EVERY, detector.clock())
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._inbox = Inbox(self._hasten)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._restore()

    @property
    def views(self) -> Views:
        """What was published last."""
        return self._views

    @property
    def alive(self) -> bool:
        """Whether it runs; it ends only by ``stop`` or by a fault of our own, which a restart has to heal."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin, and the backend with it."""
        if self._backend is not None:
            self._backend.start()
        self._thread.start()

    def stop(self) -> None:
        """Process what is queued, save, and end."""
        self._stopping = True
        self._hasten()
        self.join()
        if self._backend is not None:
            self._backend.stop()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def notify(self) -> None:
        """There is something to do."""
        self._wake.set()

    def tell(self, message: Callable[[], None]) -> None:
        """Have something done by the engine's thread, some time soon."""
        self._inbox.tell(message)

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Have something answered by the engine's thread, which alone may look at the detector's state.

        Raises:
            Busy: it has not answered in time.
        """
        return self._inbox.ask(question)

    def wanted_profiles(self) -> list[tuple[Stream, str]]:
        """(stream, InferenceService) of versions whose profile is missing or another bundle's; from any thread."""
        return [
            (stream, f"{stream.model}-{slot}" if slot else stream.model)
            for stream, seen in self._views.streams.items()
            if self._profiles.lacks(seen.profile.loaded, self._bundles.get(stream, frozenset()))
            for slot in seen.rows_seen
        ]

    def set_profile(self, stream: Stream, found: ProfileState) -> None:
        """Take what was fetched; from any thread."""
        self.tell(lambda: self._set_profile(stream, found))

    def set_coverage(self, coverage: Mapping[Slot, float]) -> None:
        """Take the coverage of all slots; from any thread."""
        self.tell(lambda: setattr(self, "_coverage", coverage))

    def set_bundles(self, served: Mapping[Stream, frozenset[str]]) -> None:
        """Take the digests of the bundles that each version's pods serve; from any thread."""
        self.tell(lambda: setattr(self, "_bundles", served))

    def add_loss(self, version: Stream, slot: str, loss: float, served: datetime) -> None:
        """Take the loss of a prediction whose label has become known; from any thread."""
        self.tell(lambda: self.detector.add_loss(version, slot, loss, served.timestamp()))

    def publish(self) -> None:
        """Publish what is known; by the engine's thread."""
        streams = dict(self.detector.streams.items())
        for gone in self._views.streams.keys() - streams.keys():
            self._profiles.forget(gone)
            if self.log is not None:
                self.log.forget(gone.namespace, gone.model, gone.version)
        for stream, state in streams.items():
            if state.rules is None and (rules := self.rules(stream)) is not None:
                state.watch(rules)  # it was forgotten and came back before anybody looked
        self._views = Views(
            streams={stream: self._view(stream, state) for stream, state in streams.items()},
            drills={
                name: view(drill.stream, drill.state, profile=self._profiles.state(drill.stream), drill=name)
                for name, drill in self.detector.drills.items()
            },
            unattributed=dict(self.detector.intake.unattributed),
            backlog=len(self.detector.intake),
            slots=self._coverage,
            saved=None if self._snapshots is None else self._snapshots.saved,
            sharing=self.sharing,
        )

    def rules(self, stream: Stream) -> Rules | None:
        """What a version's profile makes of its stream, None without one; by the engine's thread."""
        return self._profiles.rules(stream)

    def manifest(self, stream: Stream) -> Mapping[str, Any] | None:
        """Of a version's bundle, None as long as it is not known; by the engine's thread."""
        loaded = self._profiles.state(stream).loaded
        return None if loaded is None else loaded.manifest

    def hand_on(self) -> None:
        """Pass on what was closed and joined; by the engine's thread."""
        if self.shared is not None:
            self.shared.offer(self.detector.take_parts(), self.detector.closed)
        for prediction in self.detector.take_predictions():
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("inference", extra={**about(prediction), "fields": {"slot": prediction.slot}})
            if self.log is not None:
                version = Stream(prediction.namespace, prediction.model, prediction.version)
                self.log.offer(prediction, self.manifest(version))
        for closed in self.detector.take_windows():
            loaded = self._profiles.state(closed.stream).loaded
            if self._backend is not None and loaded is not None:
                self._backend.offer(closed, loaded, self._take_judgements)

    def _run(self) -> None:
        try:
            while not self._turn():
                pass
        except Exception:
            logger.exception("the engine has died")  # the probe sees that it is not alive, and a restart heals it
            raise

    def _turn(self) -> bool:
        """One round of all there is to do; True if that was the last."""
        self._wake.wait(PUBLISHED_EVERY / 2)
        self._hurry.wait(GATHERED_FOR)
        self._wake.clear()
        self._hurry.clear()
        stopping = self._stopping
        more = True
        while more:
            self._inbox.listen()
            more = self.detector.step(STEP_EVENTS)
            if stopping and not more:
                self._close_shared()
            self.hand_on()
            now = self.detector.clock()
            if self._publishing.due(now) or stopping:
                self.publish()
            if self._snapshots is not None and (self._saving.due(now) or (stopping and not more)):
                self._snapshots.save(self.detector)
                took = self.detector.clock() - now
                self._saving.slow_down(max(SAVED_EVERY, took * SAVED_SHARE))
        return stopping

    def _hasten(self) -> None:
        self._hurry.set()
        self._wake.set()

    def _close_shared(self) -> None:
        """What is still open is handed in as it is; the other replicas go on counting the same ticks."""
        if self.shared is not None:
            timeline = self.detector.timeline
            self.detector.advance(self.detector.clock() + timeline.lateness + timeline.tick_seconds)

    def _take_judgements(self, closed: Closed, judgements: Sequence[Judgement]) -> None:
        self.tell(lambda: closed.state.judging.add(judgements, closed.window))

    def _view(self, stream: Stream, state: StreamState) -> View:
        known = [
            coverage
            for slot in SLOTS
            if state.rows_seen.get(slot) and (coverage := self._coverage.get((stream.namespace, stream.model, slot)))
        ]
        silence = self.detector.clock() - state.last_seen
        silent = silence >= self.detector.limits.stream_silent_seconds
        return view(
            stream,
            state,
            profile=self._profiles.state(stream),
            coverage=min(known, default=None),
            blind=self.sharing.reason,
            silent=f"no traffic: the last event came {silence / 60:.0f} minutes ago" if silent else None,
        )

    def _set_profile(self, stream: Stream, found: ProfileState) -> None:
        state = self.detector.streams.get(stream)
        if state is None:
            return
        rules = self._profiles.take(stream, found, self._bundles.get(stream, frozenset()))
        drills = (drill.state for drill in self.detector.drills.values() if drill.stream == stream)
        for watched in (state, *drills):
            watched.watch(rules)

    def _restore(self) -> None:
        if self._snapshots is None:
            return

        def rules(stream: Stream, digest: str) -> Rules | None:
            loaded = self._kept(digest)
            if loaded is None:
                return None
            return self._profiles.take(stream, ProfileState("loaded", None, loaded))

        self._snapshots.restore(self.detector, rules)
        self.publish()
