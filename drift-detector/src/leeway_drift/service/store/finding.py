"""Finding the predictions that labels speak of: a whole chunk of labels in a few queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, func, select
from sqlalchemy.engine import Row

from leeway_drift.labels.feedback import Label
from leeway_drift.labels.joins import MAX_CANDIDATES
from leeway_drift.service.store.tables import predictions

_TABLE = predictions.c
_IDS = (_TABLE.request_id, _TABLE.response_id, _TABLE.event_id)
_READ = (
    _TABLE.id,
    _TABLE.namespace,
    _TABLE.model,
    _TABLE.version,
    _TABLE.slot,
    _TABLE.event_id,
    _TABLE.row_index,
    _TABLE.time,
    _TABLE.request_id,
    _TABLE.response_id,
    _TABLE.entity,
    _TABLE.outputs,
    _TABLE.label,
    _TABLE.label_observed,
    _TABLE.label_received,
)


@dataclass(frozen=True, slots=True)
class Sought:
    """What a label looks for.

    Attributes:
        label: as sent.
        entities: the forms in which its entity may be kept; None if it names no entity.
    """

    label: Label
    entities: frozenset[str] | None

    def fits(self, row: Row[Any]) -> bool:
        """Whether a prediction under its key is one that it speaks of."""
        return (
            row.row_index == self.label.row
            and self.label.namespace in (None, row.namespace)
            and (self.entities is None or row.entity in self.entities)
        )


@dataclass(slots=True)
class Finder:
    """Predictions by what labels call them.

    Each key is looked up by its own index: an OR over three, or an order, makes SQLite read the whole model.

    Attributes:
        connection: to read from, in the transaction that will write the labels.
    """

    connection: Connection
    _by_id: dict[tuple[str, str], dict[int, Row[Any]]] = field(default_factory=dict)
    _by_entity: dict[tuple[str, str], dict[int, Row[Any]]] = field(default_factory=dict)

    def read(self, sought: Sequence[Sought]) -> None:
        """Look for all of them at once."""
        for model in sorted({one.label.model for one in sought}):
            of_model = [one for one in sought if one.label.model == model]
            self._read(model, [one for one in of_model if one.label.id is not None])
            self._read_entities(model, [one for one in of_model if one.label.id is None])

    def fitting(self, sought: Sought) -> list[Row[Any]]:
        """Predictions with a label's key and row; one more than an answer may name says that there are more."""
        label = sought.label
        if label.id is not None:
            found = self._by_id.get((label.model, label.id), {})
        else:
            found = {}
            for entity in sorted(sought.entities or ()):
                found |= self._by_entity.get((label.model, entity), {})
        return [row for row in found.values() if sought.fits(row)][: MAX_CANDIDATES + 1]

    def highest_rows(self, labels: Iterable[Label]) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """The last row that is stored under each id, by (model, id) and namespace; nothing of unknown ids."""
        highest: dict[tuple[str, str], dict[str, int]] = {}
        ids: dict[str, set[str]] = {}
        for label in labels:
            if label.id is not None:
                ids.setdefault(label.model, set()).add(label.id)
        for model, wanted in ids.items():
            for column in _IDS:
                statement = (
                    select(column, _TABLE.namespace, func.max(_TABLE.row_index))
                    .where(_TABLE.model == model, column.in_(sorted(wanted)))
                    .group_by(column, _TABLE.namespace)
                )
                for key, namespace, row in self.connection.execute(statement):
                    known = highest.setdefault((model, key), {})
                    known[namespace] = max(row, known.get(namespace, 0))
        return highest

    def _read(self, model: str, sought: Sequence[Sought]) -> None:
        ids = sorted({one.label.id for one in sought if one.label.id is not None})
        for column in _IDS:
            if not self._read_keys(model, column, ids, sought, self._by_id):
                for one in sought:  # an id that stands for very many: no label may wait behind them
                    self._read_keys(model, column, [one.label.id or ""], [one], self._by_id)

    def _read_entities(self, model: str, sought: Sequence[Sought]) -> None:
        entities = sorted({entity for one in sought for entity in one.entities or ()})
        if not self._read_keys(model, _TABLE.entity, entities, sought, self._by_entity):
            for one in sought:
                self._read_keys(model, _TABLE.entity, sorted(one.entities or ()), [one], self._by_entity)

    def _read_keys(
        self,
        model: str,
        column: Column[Any],
        keys: Sequence[str],
        sought: Sequence[Sought],
        into: dict[tuple[str, str], dict[int, Row[Any]]],
    ) -> bool:
        """Read what is under some keys; False if that is more than labels may be told of."""
        if not keys:
            return True
        limit = (MAX_CANDIDATES + 1) * len(sought)
        conditions = [
            _TABLE.model == model,
            column.in_(keys),
            _TABLE.row_index.in_(sorted({one.label.row for one in sought})),
        ]
        if len(sought) == 1:
            [one] = sought
            if one.label.namespace is not None:
                conditions.append(_TABLE.namespace == one.label.namespace)
            if one.entities is not None:
                conditions.append(_TABLE.entity.in_(sorted(one.entities)))
        rows: Sequence[Any] = self.connection.execute(select(*_READ).where(*conditions).limit(limit)).all()
        for row in rows:
            into.setdefault((model, getattr(row, column.name)), {})[row.id] = row
        return len(rows) < limit
