"""What each version predicts, kept beside its predictions so that labels can be checked after a restart too."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, insert, select, update

from leeway_drift.labels.privacy import Handling, Privacy
from leeway_drift.labels.target import Target
from leeway_drift.reading.events import Stream
from leeway_drift.service.store.tables import versions
from leeway_drift.statistics.performance import Task


class Known(NamedTuple):
    """What the store knows of a version.

    Attributes:
        target: what it predicts; None if nobody said.
        entity_key: the input that says whom or what a row is about; None if there is none.
        entity_privacy: what may be kept of it.
    """

    target: Target | None
    entity_key: str | None
    entity_privacy: Privacy | None

    @classmethod
    def of(cls, target: Target | None, handling: Handling) -> "Known":
        """From what a manifest says."""
        key = handling.entity_key
        return cls(target, key, handling.inputs.get(key, Privacy.DROP) if key is not None else None)


def remember(connection: Connection, known: Mapping[Stream, Known], guessed: Collection[Stream]) -> None:
    """Write what is known of versions, in the place of what was.

    Args:
        connection: in a transaction.
        known: by version.
        guessed: those of them whose manifest is not there (yet, as after a restart): they replace nothing.
    """
    found = of_versions(connection, known)
    for key, version in known.items():
        if found.get(key) == version or (key in found and key in guessed):
            continue
        values = {
            "target": orjson.dumps(asdict(version.target)).decode() if version.target is not None else None,
            "entity_key": version.entity_key,
            "entity_privacy": version.entity_privacy,
        }
        if key in found:
            connection.execute(update(versions).where(*_is(key)).values(values))
        else:
            connection.execute(insert(versions).values(**asdict(key), **values))


def of_versions(connection: Connection, keys: Iterable[Stream]) -> dict[Stream, Known]:
    """What is known of some versions."""
    models = sorted({key.model for key in keys})
    return of_models(connection, models)


def of_models(connection: Connection, models: Iterable[str]) -> dict[Stream, Known]:
    """What is known of every version of some models, in any namespace."""
    rows = connection.execute(select(versions).where(versions.c.model.in_(list(models))))
    return {
        Stream(row.namespace, row.model, row.version): Known(
            _target(row.target), row.entity_key, Privacy(row.entity_privacy) if row.entity_privacy else None
        )
        for row in rows
    }


def _target(document: str | None) -> Target | None:
    if document is None:
        return None
    parsed = orjson.loads(document)
    return Target(Task(parsed["task"]), tuple(parsed["columns"]), parsed["decision_threshold"])


def _is(key: Stream) -> tuple[ColumnElement[bool], ...]:
    return (
        versions.c.namespace == key.namespace,
        versions.c.model == key.model,
        versions.c.version == key.version,
    )
