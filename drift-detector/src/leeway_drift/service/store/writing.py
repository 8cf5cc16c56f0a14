"""Writing predictions: each row once, however often its event comes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Insert, and_, delete, or_, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from leeway_drift.reading.events import Stream
from leeway_drift.service.store.tables import labels, pending_labels, predictions
from leeway_drift.service.store.targets import Known, remember

EXPIRE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Redacted:
    """One answered request in the form in which it may be kept.

    Attributes:
        version: the version that answered.
        known: what it predicts.
        declared: whether a manifest says so.
        slot: ``a``, ``b`` or empty.
        event_id: the logger's id.
        time: microseconds since 1970.
        request_id: ``x-request-id``, None if unknown.
        response_id: of a V2 response, None if unknown or no key.
        entities: of each row, None where unknown.
        inputs: JSON of each row, None where nothing may be kept.
        outputs: JSON of each row.
    """

    version: Stream
    known: Known
    declared: bool
    slot: str
    event_id: str
    time: int
    request_id: str | None
    response_id: str | None
    entities: Sequence[str | None]
    inputs: Sequence[str | None]
    outputs: Sequence[str]

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes it the same event."""
        return self.version.namespace, self.version.model, self.slot, self.event_id


def add(connection: Connection, batch: Sequence[Redacted], now: int) -> list[Redacted]:
    """Write those that are new, each with all its rows, and return them.

    Args:
        connection: in a transaction.
        batch: in any order, repetitions included.
        now: microseconds since 1970.
    """
    stored = _stored(connection, batch)
    fresh = {event.identity: event for event in batch if event.identity not in stored}
    by_knowledge = sorted(fresh.values(), key=lambda event: event.declared)  # what is declared comes last, and stays
    known = {event.version: event for event in by_knowledge}
    guessed = {version for version, event in known.items() if not event.declared}
    remember(connection, {version: event.known for version, event in known.items()}, guessed)
    rows = [row for event in fresh.values() for row in _rows(event, now)]
    if rows:
        statement = _insert_if_absent(connection.dialect.name)
        connection.execute(statement, rows)
    return list(fresh.values())


def _stored(connection: Connection, batch: Sequence[Redacted]) -> set[tuple[str, str, str, str]]:
    columns = predictions.c.namespace, predictions.c.model, predictions.c.slot, predictions.c.event_id
    by_model: dict[str, list[str]] = {}
    for event in batch:
        by_model.setdefault(event.version.model, []).append(event.event_id)
    same = [
        and_(predictions.c.model == model, predictions.c.event_id.in_(ids), predictions.c.row_index == 0)
        for model, ids in by_model.items()
    ]
    return {(row[0], row[1], row[2], row[3]) for row in connection.execute(select(*columns).where(or_(*same)))}


def _rows(event: Redacted, now: int) -> list[dict[str, Any]]:
    shared: Mapping[str, Any] = {
        **asdict(event.version),
        "slot": event.slot,
        "event_id": event.event_id,
        "time": event.time,
        "stored": now,
        "request_id": event.request_id,
        "response_id": event.response_id,
    }
    return [
        {**shared, "row_index": index, "entity": entity, "inputs": inputs, "outputs": outputs}
        for index, (entity, inputs, outputs) in enumerate(zip(event.entities, event.inputs, event.outputs, strict=True))
    ]


def _insert_if_absent(dialect: str) -> Insert:
    """Another replica may write the same event between our look and our insert."""
    match dialect:
        case "postgresql":
            # With RETURNING, SQLAlchemy sends many rows in one statement; this driver would send them one by one.
            return postgresql.insert(predictions).on_conflict_do_nothing().returning(predictions.c.id)
        case "sqlite":
            return sqlite.insert(predictions).on_conflict_do_nothing()
        case _:
            return mysql.insert(predictions).on_duplicate_key_update(id=predictions.c.id)


def expire(connection: Connection, before: int) -> int:
    """Delete predictions stored before a time, with their labels: a small batch, so that nothing waits for long.

    Returns:
        How many; ``EXPIRE_ROWS`` says that there may be more.
    """
    found = select(predictions.c.id).where(predictions.c.stored < before).order_by(predictions.c.stored)
    ids = list(connection.scalars(found.limit(EXPIRE_ROWS)))
    if ids:
        connection.execute(delete(labels).where(labels.c.prediction.in_(ids)))
        connection.execute(delete(predictions).where(predictions.c.id.in_(ids)))
    return len(ids)


def give_up_pending(connection: Connection, before: int) -> int:
    """Delete labels that have waited since before a time, and say how many."""
    return connection.execute(delete(pending_labels).where(pending_labels.c.received < before)).rowcount
