"""The prediction log: takes predictions from the stream and labels from people, and keeps them in the store.

Predictions are offered by the engine's thread, which never waits: a queue and a writer thread of our own stand
between it and a database that may be slow, full or gone. What cannot be kept is counted by reason.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from leeway_drift.labels.feedback import Invalid, Label
from leeway_drift.labels.joins import Decision, Outcome, Predicted
from leeway_drift.labels.performance import losses
from leeway_drift.labels.privacy import Handling, Redaction
from leeway_drift.labels.records import Prediction
from leeway_drift.labels.sampling import in_sample
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.logs import about
from leeway_drift.service.pace import Pace
from leeway_drift.service.prediction_queue import LogLimits, PredictionQueue, Waiting
from leeway_drift.service.redacting import redacted
from leeway_drift.service.scores import Scores
from leeway_drift.service.store import labelling, writing
from leeway_drift.service.store.database import Database, StoreUnavailable
from leeway_drift.service.store.tables import to_microseconds
from leeway_drift.service.store.targets import Known
from leeway_drift.service.tallies import Kept, Tallies

logger = logging.getLogger(__name__)

OnLoss = Callable[[Stream, str, float, datetime], None]
"""Told of every first label of a prediction: version, slot, loss (0 to 1), time of the prediction. On any thread."""

ProfileOf = Callable[[Stream], Profile | None]
"""The profile of a version; None while it is not known. Called on the writer's thread."""

BATCH_EVENTS = 200
MAX_ROWS = 10_000
"""Rows of one request; a client that has a table scored shall not fill the store, each of whose rows is one."""
PENDING_SECONDS = 3600
"""How long a label waits for its prediction."""

_IDLE_SECONDS = 10.0
_EXPIRED_EVERY = 10.0
_MICROSECONDS = 1_000_000


class PredictionLog:
    """Keeps predictions and labels.

    Args:
        database: where.
        salt: secret key of hashed inputs, 32 bytes.
        clock: the time now, with its zone.
        sample: share of the inferences that are kept, 0 to 1.
        retention: seconds for which they are.
        on_loss: told of every first label of a prediction.
        profile_of: whose bins stand for inputs of which only those may be kept, and whose spread judges the labels.
        limits: of the queue.
        watched: versions that the detector watches at most.
    """

    def __init__(
        self,
        database: Database,
        *,
        salt: bytes,
        clock: Callable[[], datetime],
        sample: float,
        retention: float,
        on_loss: OnLoss,
        profile_of: ProfileOf,
        limits: LogLimits = LogLimits(),  # noqa: B008 - frozen
        watched: int = 0,
    ) -> None:
        self.database = database
        self.tallies = Tallies(lambda: clock().timestamp(), watched)
        self._salt = salt
        self.clock = clock
        self._sample = sample
        self._retention = retention
        self._on_loss = on_loss
        self._profile_of = profile_of
        self.scores = Scores(database, self.tallies, clock, profile_of)
        self._expiry = Pace(_EXPIRED_EVERY)
        self._written = 0
        self._limits = limits
        self._queue = PredictionQueue(limits)
        self._writer = threading.Thread(target=self._write, name="predictions", daemon=True)
        self._writer.start()

    # -- the engine's side

    def offer(self, prediction: Prediction, manifest: Mapping[str, Any] | None) -> None:
        """Take a prediction to be kept; never waits.

        Args:
            prediction: a joined request and response.
            manifest: of the version's bundle, None if it has none: then nothing of the inputs is kept.
        """
        if not in_sample(prediction.event_id, self._sample):
            self._count(prediction, Kept.UNSAMPLED)
            return
        if prediction.outputs.count > MAX_ROWS:
            self._count(prediction, Kept.TOO_MANY_ROWS)
            return
        if not self._queue.put(prediction, manifest):
            self._count(prediction, Kept.QUEUE_FULL)

    def forget(self, namespace: str, model: str, version: str) -> None:
        """Drop what is counted of a version that is gone; what is stored of it stays."""
        self.tallies.forget(Stream(namespace, model, version))

    def close(self) -> None:
        """Write what is queued, then end; a store that fails gets one more chance per batch."""
        self._queue.close()
        self._writer.join()
        self.database.close()

    # -- the people's side

    def feedback(self, items: Sequence[Label | Invalid]) -> list[Decision]:
        """Take labels, in order, and say what became of each.

        Raises:
            StoreUnavailable: those of earlier chunks are kept; sending all again does no harm.
        """
        decisions: list[Decision] = []
        for start in range(0, len(items), labelling.CHUNK):
            chunk = items[start : start + labelling.CHUNK]
            given = [item for item in chunk if isinstance(item, Label)]
            now = to_microseconds(self.clock())
            with self.database.write() as connection:
                applied = iter(labelling.apply(connection, given, now, self._entity_form))
            for item in chunk:
                if isinstance(item, Invalid):
                    self.tallies.label(None, Outcome.INVALID)
                    decisions.append(Decision(Outcome.INVALID, item.reason))
                else:
                    decisions.append(self._applied(item, next(applied), now))
        return decisions

    def _applied(self, label: Label, applied: labelling.Applied, now: int) -> Decision:
        """Count a label that was written, and tell of the losses."""
        decision = applied.decision
        kept = decision.outcome in (Outcome.ACCEPTED, Outcome.CORRECTED)
        versions = {_version(predicted) for predicted in decision.predictions} if kept else {None}
        for version in versions:
            self.tallies.label(version, decision.outcome)
        if logger.isEnabledFor(logging.DEBUG):
            sent = {"namespace": label.namespace, "model": label.model, "request_id": label.id}
            for extra in map(about, decision.predictions) if kept else (sent,):
                logger.debug("label", extra={**extra, "fields": {"outcome": decision.outcome}})
        observed = now if label.observed_at is None else to_microseconds(label.observed_at)
        for predicted in applied.first:
            delay = (observed - to_microseconds(predicted.time)) / _MICROSECONDS
            self.tallies.delay(_version(predicted), max(0.0, delay))
            if predicted.target is not None and predicted.scores is not None:
                scores = np.array([predicted.scores])
                [loss] = losses(predicted.target, scores, np.array([label.value]))
                self._on_loss(_version(predicted), predicted.slot, float(loss), predicted.time)
        return decision

    def _entity_form(self, known: Known, entity: str | float) -> str | None:
        if known.entity_key is None or known.entity_privacy is None:
            return None
        handling = Handling({known.entity_key: known.entity_privacy}, {}, known.entity_key)
        return Redaction(handling, {}, self._salt).entity(entity)

    # -- the writer

    def _write(self) -> None:
        while (batch := self._queue.take(BATCH_EVENTS, _IDLE_SECONDS)) is not None:
            if batch:
                self._keep(batch)
            try:
                self._expire()
                self.scores.refresh()
            except StoreUnavailable as error:
                logger.warning("the store is not available", extra={"error": str(error)})
            except Exception:  # whatever it is, it must not end the only thread that keeps predictions
                logger.exception("a fault in the prediction log")

    def _keep(self, batch: Sequence[Waiting]) -> None:
        events = {id(waiting): redacted for waiting in batch if (redacted := self._redacted(waiting)) is not None}
        kept = [waiting for waiting in batch if id(waiting) in events]
        try:
            if events:
                self._attempt(list(events.values()))
        except Exception as error:  # whatever it is, these are lost, counted, and the next are kept
            if not isinstance(error, StoreUnavailable):
                logger.exception("a fault in the prediction log")
            for waiting in kept:
                self._count(waiting.prediction, Kept.STORE_FAILED)

    def _redacted(self, waiting: Waiting) -> writing.Redacted | None:
        prediction = waiting.prediction
        try:
            profile = self._profile_of(Stream(prediction.namespace, prediction.model, prediction.version))
            return redacted(prediction, waiting.manifest, profile, self._salt)
        except Exception:  # its rows came from a stranger; whatever is wrong with them, the others are kept
            logger.exception("a fault in the prediction log", extra=about(prediction))
            self._count(prediction, Kept.STORE_FAILED)
            return None

    def _attempt(self, events: Sequence[writing.Redacted]) -> None:
        """Write, again and again if need be; StoreUnavailable after the last time."""
        for pause in (*self._limits.retry_seconds, None):
            try:
                self._store(events)
            except StoreUnavailable as error:
                logger.warning("predictions are not written", extra={"error": str(error)})
                if pause is None or not self._queue.rest(pause):
                    raise
            else:
                return

    def _store(self, events: Sequence[writing.Redacted]) -> None:
        now = to_microseconds(self.clock())
        with self.database.write() as connection:
            fresh = writing.add(connection, events, now)
            joined = labelling.apply_pending(connection, fresh, now, self._entity_form)
        self._written += sum(len(event.outputs) for event in fresh)
        new = {id(event) for event in fresh}
        for event in events:
            kept = Kept.STORED if id(event) in new else Kept.DUPLICATE
            self.tallies.predictions(event.version, kept, len(event.outputs))
        for label, applied in joined:
            self._applied(label, applied, now)

    def _expire(self) -> None:
        """Every few seconds: what is over the retention, and labels that have waited long enough.

        Of what is due, at least as much is deleted as was written since, however much waits to be written: a store
        that deleted less than it takes would grow for ever.
        """
        now = self.clock()
        if not self._expiry.due(now.timestamp()):
            return
        written, self._written = self._written, 0
        before, deleted = to_microseconds(now) - int(self._retention * _MICROSECONDS), 0
        while deleted <= written or not len(self._queue):
            with self.database.write() as connection:
                expired = writing.expire(connection, before)
            deleted += expired
            if expired < writing.EXPIRE_ROWS:
                break
        with self.database.write() as connection:
            given_up = writing.give_up_pending(connection, to_microseconds(now) - PENDING_SECONDS * _MICROSECONDS)
        for _ in range(given_up):
            self.tallies.label(None, Outcome.UNKNOWN)
        self.tallies.forget_silent()

    def _count(self, prediction: Prediction, kept: Kept) -> None:
        version = Stream(prediction.namespace, prediction.model, prediction.version)
        self.tallies.predictions(version, kept, prediction.outputs.count)


def _version(predicted: Predicted) -> Stream:
    return Stream(predicted.namespace, predicted.model, predicted.version)
