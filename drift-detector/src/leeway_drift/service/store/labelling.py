"""Writing labels: joining them with their predictions, keeping every one, letting the last observation stand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import orjson
from sqlalchemy import (
    BindParameter,
    Connection,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Row

from leeway_drift.labels.feedback import Label
from leeway_drift.labels.joins import Decision, Outcome, Predicted, Standing, decide
from leeway_drift.reading.events import Stream
from leeway_drift.service.store.finding import Finder, Sought
from leeway_drift.service.store.tables import labels as history
from leeway_drift.service.store.tables import pending_labels, predictions, to_microseconds, to_time
from leeway_drift.service.store.targets import Known, of_models
from leeway_drift.service.store.writing import Redacted

MAX_PENDING = 100_000
CHUNK = 200
"""Labels written in one transaction, so that predictions do not wait long for their turn."""

EntityForm = Callable[[Known, str | float], str | None]
"""The form in which a version's entities are kept; None if they are not."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a label, and which predictions got their first."""

    decision: Decision
    first: tuple[Predicted, ...] = ()


def apply(connection: Connection, given: Sequence[Label], now: int, entity_form: EntityForm) -> list[Applied]:
    """Join labels with their predictions and write them, in order; one without a prediction waits for it.

    Args:
        connection: in a transaction.
        given: at most ``CHUNK``.
        now: microseconds since 1970.
        entity_form: how entities are kept.
    """
    known = of_models(connection, {label.model for label in given})
    sought = [Sought(label, _entities(label, known, entity_form)) for label in given]
    finder = Finder(connection)
    finder.read(sought)
    chunk = _Chunk(known, now)
    decided = [chunk.apply(one.label, finder.fitting(one)) for one in sought]
    chunk.write(connection)
    without = [label for label, applied in zip(given, decided, strict=True) if _is_unknown(applied)]
    if not without:
        return decided
    waiting = _Waiting(connection, finder.highest_rows(without), {version.model for version in known}, now)
    applied = [
        Applied(waiting.decide(label)) if _is_unknown(one) else one for label, one in zip(given, decided, strict=True)
    ]
    waiting.write()
    return applied


def apply_pending(
    connection: Connection, events: Sequence[Redacted], now: int, entity_form: EntityForm
) -> list[tuple[Label, Applied]]:
    """Join the labels that waited for these predictions.

    Args:
        connection: in a transaction, after the predictions were written.
        events: that were written.
        now: microseconds since 1970.
        entity_form: how entities are kept.
    """
    newest = connection.scalar(select(func.max(pending_labels.c.id)))
    if newest is None:
        return []
    keys = sorted({(event.version.namespace, event.version.model, key) for event in events for key in _keys(event)})
    joined: list[tuple[Label, Applied]] = []
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        same = or_(
            *(
                and_(
                    pending_labels.c.model == model,
                    or_(pending_labels.c.namespace.is_(None), pending_labels.c.namespace == namespace),
                    pending_labels.c.key.in_([key for *of, key in chunk if of == [namespace, model]]),
                )
                for namespace, model in sorted({(namespace, model) for namespace, model, _ in chunk})
            )
        )
        last = 0
        while waiting := _waiting(connection, (same, pending_labels.c.id > last, pending_labels.c.id <= newest)):
            last = waiting[-1].id
            connection.execute(delete(pending_labels).where(pending_labels.c.id.in_([row.id for row in waiting])))
            given = [_of_pending(row) for row in waiting]
            joined += zip(given, apply(connection, given, now, entity_form), strict=True)
    return joined


def _waiting(connection: Connection, conditions: tuple[Any, ...]) -> Sequence[Row[Any]]:
    statement = select(pending_labels).where(*conditions).order_by(pending_labels.c.id).limit(CHUNK)
    return connection.execute(statement).all()


def _keys(event: Redacted) -> list[str]:
    return [key for key in (event.request_id, event.response_id, event.event_id) if key is not None]


def _of_pending(row: Row[Any]) -> Label:
    return Label(row.model, row.namespace, row.key, None, row.row_index, row.value, to_time(row.observed))


def _entities(label: Label, known: Mapping[Stream, Known], entity_form: EntityForm) -> frozenset[str] | None:
    if label.entity is None:
        return None
    of_model = (version for stream, version in known.items() if stream.model == label.model)
    forms = {entity_form(version, label.entity) for version in of_model}
    return frozenset(form for form in forms if form is not None)


def _is_unknown(applied: Applied) -> bool:
    return applied.decision.outcome is Outcome.UNKNOWN


class _Kept(TypedDict):
    """One label of one prediction, as it is written."""

    prediction: int
    value: float
    observed: int
    received: int


class _Chunk:
    """Labels that are decided one after the other, each after those before it, and written together."""

    def __init__(self, known: Mapping[Stream, Known], now: int) -> None:
        self._known = known
        self._now = now
        self._standing: dict[int, Standing] = {}
        self._kept: list[_Kept] = []

    def apply(self, label: Label, fitting: Sequence[Row[Any]]) -> Applied:
        """Decide over a label."""
        observed = self._now if label.observed_at is None else to_microseconds(label.observed_at)
        decision = decide(label, [self._predicted(row) for row in fitting], to_time(observed))
        if decision.outcome not in (Outcome.ACCEPTED, Outcome.CORRECTED):
            return Applied(decision)
        for predicted in decision.predictions:
            if label.observed_at is None and predicted.label is not None and predicted.label.value == label.value:
                continue  # sent again
            self._kept.append(
                {"prediction": predicted.key, "value": label.value, "observed": observed, "received": self._now}
            )
            if predicted.label is None or to_microseconds(predicted.label.observed_at) <= observed:
                self._standing[predicted.key] = Standing(label.value, to_time(observed), to_time(self._now))
        return Applied(decision, tuple(predicted for predicted in decision.predictions if predicted.label is None))

    def write(self, connection: Connection) -> None:
        """Write each label into the history once, and let the last observation stand."""
        if not self._kept:
            return
        of_these = history.c.prediction.in_(sorted({kept["prediction"] for kept in self._kept}))
        statement = select(history.c.prediction, history.c.value, history.c.observed).where(of_these)
        known = {(row[0], row[1], row[2]) for row in connection.execute(statement)}
        fresh: list[Any] = []
        last: dict[int, _Kept] = {}  # of a chunk all that has no time was observed now: said, taken back, said again
        for kept in self._kept:
            if (kept["prediction"], kept["value"], kept["observed"]) in known or last.get(kept["prediction"]) == kept:
                continue
            last[kept["prediction"]] = kept
            fresh.append(kept)
        if fresh:
            connection.execute(insert(history), fresh)
            connection.execute(_LET_STAND, [{f"new_{name}": value for name, value in row.items()} for row in fresh])

    def _predicted(self, row: Row[Any]) -> Predicted:
        version = self._known.get(Stream(row.namespace, row.model, row.version))
        target = version.target if version is not None else None
        standing = self._standing.get(row.id)
        if standing is None and row.label is not None:
            standing = Standing(row.label, to_time(row.label_observed), to_time(row.label_received))
        return Predicted(
            key=row.id,
            namespace=row.namespace,
            model=row.model,
            version=row.version,
            slot=row.slot,
            event_id=row.event_id,
            request_id=row.request_id,
            time=to_time(row.time),
            target=target,
            scores=target.scores(orjson.loads(row.outputs)) if target is not None else None,
            label=standing,
        )


def _let_stand() -> Update:
    """In the database and not in Python, since another replica may write at the same time."""
    table = predictions.c
    value: BindParameter[float] = bindparam("new_value")
    observed: BindParameter[int] = bindparam("new_observed")
    received: BindParameter[int] = bindparam("new_received")
    later = or_(table.label_observed.is_(None), table.label_observed <= observed)
    earlier = or_(table.first_observed.is_(None), table.first_observed > observed)
    return (
        update(predictions)
        .where(table.id == bindparam("new_prediction"))
        .ordered_values(  # MySQL assigns one after the other: what the conditions read comes last
            (table.label, case((later, value), else_=table.label)),
            (table.label_received, case((later, received), else_=table.label_received)),
            (table.label_observed, case((later, observed), else_=table.label_observed)),
            (table.first_observed, case((earlier, observed), else_=table.first_observed)),
        )
    )


_LET_STAND = _let_stand()


class _Waiting:
    """Labels without a prediction: of a row too many, of a prediction yet to come, or of nothing of ours."""

    def __init__(
        self,
        connection: Connection,
        highest: Mapping[tuple[str, str], Mapping[str, int]],
        models: set[str],
        now: int,
    ) -> None:
        self._connection = connection
        self._highest = highest
        self._models = models
        self._now = now
        self._rows: list[dict[str, Any]] = []
        self._room = MAX_PENDING - (connection.scalar(select(func.count()).select_from(pending_labels)) or 0)

    def decide(self, label: Label) -> Decision:
        """What becomes of a label."""
        if label.model not in self._models:
            return Decision(Outcome.UNKNOWN, f"no prediction of model {label.model!r} was ever stored")
        if label.id is None:
            return Decision(Outcome.UNKNOWN, "no prediction of this entity is stored")
        by_namespace = self._highest.get((label.model, label.id), {})
        rows = [row for name, row in by_namespace.items() if label.namespace in (None, name)]
        if rows and label.row > max(rows):
            return Decision(Outcome.INVALID, f"row: {label.row}, expected one of the request's, 0 to {max(rows)}")
        if rows:
            return Decision(Outcome.UNKNOWN, "the id is known, but with another entity")
        if self._room <= len(self._rows):
            return Decision(Outcome.UNKNOWN, f"no such prediction, and {MAX_PENDING} labels wait for theirs already")
        self._rows.append(
            {
                "model": label.model,
                "namespace": label.namespace,
                "key": label.id,
                "row_index": label.row,
                "value": label.value,
                "observed": self._now if label.observed_at is None else to_microseconds(label.observed_at),
                "received": self._now,
            }
        )
        return Decision(Outcome.PENDING, "no such prediction yet; kept for an hour in case it comes")

    def write(self) -> None:
        """Keep those that wait."""
        if self._rows:
            self._connection.execute(insert(pending_labels), self._rows)
