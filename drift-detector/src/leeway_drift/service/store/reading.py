"""Reading the store: labelled predictions for the metrics, and whole predictions for audits and exports."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from sqlalchemy import ColumnElement, Connection, RowMapping, func, select

from leeway_drift.labels.cohorts import Labelled
from leeway_drift.labels.target import Target
from leeway_drift.reading.events import Stream
from leeway_drift.service.store.database import Database
from leeway_drift.service.store.tables import predictions, to_time

MAX_LABELS = 20_000
"""Labels of a version that metrics are made of, the newest predictions first: about three weeks of a thousand a day."""

PAGE_ROWS = 1000


def labelled(connection: Connection, version: Stream, target: Target, since: int, until: int) -> Labelled:
    """The newest labelled predictions of a version, at most ``MAX_LABELS``, but for rows whose outputs are no scores.

    Args:
        connection: to read from.
        version: whose.
        target: what it predicts.
        since: microseconds since 1970, inclusive.
        until: exclusive.
    """
    table = predictions.c
    statement = (
        select(table.time, table.first_observed, table.outputs, table.label, table.event_id, table.slot)
        .where(*_of(version), table.time >= since, table.time < until, table.label.is_not(None))
        .order_by(table.time.desc())
        .limit(MAX_LABELS)
    )
    rows = [(row, target.scores(orjson.loads(row.outputs))) for row in connection.execute(statement)]
    usable = [(row, scores) for row, scores in rows if scores is not None and target.allows(row.label)]
    requests: dict[tuple[str, str], int] = {}
    return Labelled(
        times=np.array([row.time for row, _ in usable], dtype=np.int64),
        delays=np.array([max(0, row.first_observed - row.time) / 1e6 for row, _ in usable], dtype=np.float64),
        scores=np.array([scores for _, scores in usable], dtype=np.float64).reshape(
            len(usable), max(target.classes, 1)
        ),
        labels=np.array([row.label for row, _ in usable], dtype=np.float64),
        requests=np.array(
            [requests.setdefault((row.slot, row.event_id), len(requests)) for row, _ in usable], dtype=np.int64
        ),
    )


def count(connection: Connection, version: Stream, since: int, until: int) -> int:
    """Predicted rows of a version with a time in ``[since, until)``."""
    statement = select(func.count()).where(*_of(version), predictions.c.time >= since, predictions.c.time < until)
    return connection.scalar(statement) or 0


def _of(version: Stream) -> tuple[ColumnElement[bool], ...]:
    table = predictions.c
    return table.namespace == version.namespace, table.model == version.model, table.version == version.version


@dataclass(frozen=True, slots=True)
class Selection:
    """Which predictions to read; None does not narrow.

    Attributes:
        namespace: of the InferenceService.
        model: its name.
        since: of the prediction, microseconds since 1970, inclusive.
        until: exclusive.
    """

    namespace: str | None = None
    model: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """For a WHERE."""
        table = predictions.c
        narrowed: list[ColumnElement[bool]] = []
        if self.namespace is not None:
            narrowed.append(table.namespace == self.namespace)
        if self.model is not None:
            narrowed.append(table.model == self.model)
        if self.since is not None:
            narrowed.append(table.time >= self.since)
        if self.until is not None:
            narrowed.append(table.time < self.until)
        return narrowed


def records(database: Database, selection: Selection) -> Iterator[list[dict[str, Any]]]:
    """Read whole predictions in the order of their storing, page by page: no transaction stays open between pages.

    Raises:
        StoreUnavailable: in the middle, too.
    """
    last = 0
    while True:
        statement = (
            select(predictions)
            .where(*selection.conditions, predictions.c.id > last)
            .order_by(predictions.c.id)
            .limit(PAGE_ROWS)
        )
        with database.read() as connection:
            rows = connection.execute(statement).mappings().all()
        if not rows:
            return
        yield [record(row) for row in rows]
        last = rows[-1]["id"]


def record(row: RowMapping) -> dict[str, Any]:
    """One prediction with the names of the API: times as RFC 3339, inputs and outputs as objects."""
    return {
        "namespace": row["namespace"],
        "model": row["model"],
        "version": row["version"],
        "slot": row["slot"],
        "event_id": row["event_id"],
        "row": row["row_index"],
        "time": to_time(row["time"]),
        "request_id": row["request_id"],
        "response_id": row["response_id"],
        "entity": row["entity"],
        "inputs": orjson.loads(row["inputs"]) if row["inputs"] is not None else None,
        "outputs": orjson.loads(row["outputs"]),
        "label": row["label"],
        "label_observed_at": to_time(row["label_observed"]) if row["label_observed"] is not None else None,
        "label_received_at": to_time(row["label_received"]) if row["label_received"] is not None else None,
    }
