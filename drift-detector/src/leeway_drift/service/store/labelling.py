"""Writing labels: finding their predictions, keeping every one, letting the last observation stand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.engine import Row

from leeway_drift.labels.feedback import Label
from leeway_drift.labels.joins import MAX_CANDIDATES, Decision, Outcome, Predicted, Standing, decide
from leeway_drift.reading.events import Stream
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
    return [_apply(connection, label, known, now, entity_form) for label in given]


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
    if connection.execute(select(pending_labels.c.id).limit(1)).first() is None:
        return []
    keys = sorted({(event.version.model, key) for event in events for key in _keys(event)})
    joined: list[tuple[Label, Applied]] = []
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        same = [
            and_(pending_labels.c.model == model, pending_labels.c.key.in_([key for of, key in chunk if of == model]))
            for model in sorted({model for model, _ in chunk})
        ]
        waiting = connection.execute(
            select(pending_labels).where(or_(*same)).order_by(pending_labels.c.id).limit(CHUNK)
        ).all()
        if waiting:
            connection.execute(delete(pending_labels).where(pending_labels.c.id.in_([row.id for row in waiting])))
            given = [_of_pending(row) for row in waiting]
            joined += zip(given, apply(connection, given, now, entity_form), strict=True)
    return joined


def _keys(event: Redacted) -> list[str]:
    return [key for key in (event.request_id, event.response_id, event.event_id) if key is not None]


def _of_pending(row: Row[Any]) -> Label:
    return Label(row.model, row.namespace, row.key, None, row.row_index, row.value, to_time(row.observed))


def _apply(
    connection: Connection, label: Label, known: Mapping[Stream, Known], now: int, entity_form: EntityForm
) -> Applied:
    observed = now if label.observed_at is None else to_microseconds(label.observed_at)
    decision = decide(label, _fitting(connection, label, known, entity_form), to_time(observed))
    if decision.outcome is Outcome.UNKNOWN:
        return Applied(_unknown(connection, label, known, observed, now))
    if decision.outcome not in (Outcome.ACCEPTED, Outcome.CORRECTED):
        return Applied(decision)
    for predicted in decision.predictions:
        if label.observed_at is None and predicted.label is not None and predicted.label.value == label.value:
            continue  # sent again
        _keep(connection, predicted.key, label.value, observed, now)
    return Applied(decision, tuple(predicted for predicted in decision.predictions if predicted.label is None))


def _fitting(
    connection: Connection, label: Label, known: Mapping[Stream, Known], entity_form: EntityForm
) -> list[Predicted]:
    """Predictions with a label's key and row; one more than an answer may name says that there are more."""
    table = predictions.c
    conditions = [table.row_index == label.row]
    if label.namespace is not None:
        conditions.append(table.namespace == label.namespace)
    if label.entity is not None:
        forms = {entity_form(version, label.entity) for version in known.values()}
        conditions.append(table.entity.in_(sorted(form for form in forms if form is not None)))
    found = {row.id: row for row in _with_key(connection, label, *conditions)}
    return [_predicted(row, known) for row in list(found.values())[: MAX_CANDIDATES + 1]]


def _with_key(connection: Connection, label: Label, *conditions: ColumnElement[bool]) -> Iterator[Row[Any]]:
    """Predictions under a label's id, by each index on its own.

    An OR over three indexes, or an order, makes SQLite read the whole model: measured, 50 labels a second.
    """
    table = predictions.c
    keys = [None] if label.id is None else [table.request_id, table.response_id, table.event_id]
    for key in keys:
        same = [table.model == label.model, *conditions] + ([] if key is None else [key == label.id])
        yield from connection.execute(select(predictions).where(*same).limit(MAX_CANDIDATES + 1))


def _predicted(row: Row[Any], known: Mapping[Stream, Known]) -> Predicted:
    version = known.get(Stream(row.namespace, row.model, row.version))
    target = version.target if version is not None else None
    standing = None
    if row.label is not None:
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


def _unknown(connection: Connection, label: Label, known: Mapping[Stream, Known], observed: int, now: int) -> Decision:
    """A label without a prediction: a row too many, a prediction yet to come, or nothing of ours."""
    if not any(version.model == label.model for version in known):
        return Decision(Outcome.UNKNOWN, f"no prediction of model {label.model!r} was ever stored")
    if label.id is None:
        return Decision(Outcome.UNKNOWN, "no prediction of this entity is stored")
    namespace = [] if label.namespace is None else [predictions.c.namespace == label.namespace]
    event = next((row.event_id for row in _with_key(connection, label, *namespace)), None)
    if event is not None and label.entity is None:
        rows = connection.scalar(
            select(func.max(predictions.c.row_index)).where(
                predictions.c.model == label.model, predictions.c.event_id == event
            )
        )
        if rows is not None and label.row > rows:
            return Decision(Outcome.INVALID, f"row: {label.row}, expected one of the request's, 0 to {rows}")
    if event is not None:
        return Decision(Outcome.UNKNOWN, "the id is known, but with another entity")
    if (connection.scalar(select(func.count()).select_from(pending_labels)) or 0) >= MAX_PENDING:
        return Decision(Outcome.UNKNOWN, f"no such prediction, and {MAX_PENDING} labels wait for theirs already")
    connection.execute(
        insert(pending_labels).values(
            model=label.model,
            namespace=label.namespace,
            key=label.id,
            row_index=label.row,
            value=label.value,
            observed=observed,
            received=now,
        )
    )
    return Decision(Outcome.PENDING, "no such prediction yet; kept for an hour in case it comes")


def _keep(connection: Connection, prediction: int, value: float, observed: int, now: int) -> None:
    """Write a label into the history, and let it stand unless a later observation does."""
    same = select(history.c.id).where(
        history.c.prediction == prediction, history.c.value == value, history.c.observed == observed
    )
    if connection.execute(same.limit(1)).first() is not None:
        return
    connection.execute(insert(history).values(prediction=prediction, value=value, observed=observed, received=now))
    table = predictions.c
    # In the database and not in Python, since another replica may write at the same time.
    connection.execute(
        update(predictions)
        .where(table.id == prediction, or_(table.label_observed.is_(None), table.label_observed <= observed))
        .values(label=value, label_observed=observed, label_received=now)
    )
    connection.execute(
        update(predictions)
        .where(table.id == prediction, or_(table.first_observed.is_(None), table.first_observed > observed))
        .values(first_observed=observed)
    )
