"""Tables of the prediction store: the same on SQLite, PostgreSQL, MySQL and MariaDB.

Times are integers, microseconds since 1970 in UTC: the one form that all of them keep exactly, order alike and never
convert to somebody's time zone.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from leeway_drift.labels.feedback import MAX_KEY

SCHEMA = 1
"""Number of this layout; a store of another is refused and left as it is."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_MYSQL = ("mysql", "mariadb")


def to_microseconds(time: datetime) -> int:
    """Microseconds since 1970; a time that no ``to_time`` could give back, which only a broken clock has, is cut."""
    return min(max(0, (time - _EPOCH) // _MICROSECOND), _LATEST)


def to_time(microseconds: int) -> datetime:
    """The inverse, in UTC."""
    return _EPOCH + microseconds * _MICROSECOND


def _text(length: int) -> TypeEngine[str]:
    """Text compared byte by byte: MySQL by itself takes ids that differ in case, or in an accent, for one."""
    return String(length).with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)


def _document() -> TypeEngine[str]:
    """JSON as text: written once and read back byte for byte."""
    return Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL)


_SERIAL = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself only if the type is INTEGER

metadata = MetaData()

schema = Table("leeway_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

versions = Table(
    "leeway_versions",
    metadata,
    Column("namespace", _text(63), primary_key=True),
    Column("model", _text(63), primary_key=True),
    Column("version", _text(63), primary_key=True),
    Column("target", _document(), nullable=True, comment="JSON: task, columns, decision_threshold"),
    Column("entity_key", _text(MAX_KEY), nullable=True),
    Column("entity_privacy", _text(8), nullable=True),
)

predictions = Table(
    "leeway_predictions",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("namespace", _text(63), nullable=False),
    Column("model", _text(63), nullable=False),
    Column("version", _text(63), nullable=False),
    Column("slot", _text(1), nullable=False, comment="a, b, or empty without a ModelRollout"),
    Column("event_id", _text(128), nullable=False),
    Column("row_index", Integer, nullable=False),
    Column("time", BigInteger, nullable=False, comment="when the logger saw it"),
    Column("stored", BigInteger, nullable=False),
    Column("request_id", _text(MAX_KEY), nullable=True),
    Column("response_id", _text(MAX_KEY), nullable=True),
    Column("entity", _text(MAX_KEY), nullable=True),
    Column("inputs", _document(), nullable=True, comment="JSON, as the manifest's privacy allows"),
    Column("outputs", _document(), nullable=False, comment="JSON"),
    Column("label", Double, nullable=True, comment="the one that stands"),
    Column("label_observed", BigInteger, nullable=True),
    Column("label_received", BigInteger, nullable=True),
    Column("first_observed", BigInteger, nullable=True),
    UniqueConstraint("model", "event_id", "row_index", "namespace", "slot", name="leeway_predictions_identity"),
    Index("leeway_predictions_request_id", "model", "request_id"),
    Index("leeway_predictions_response_id", "model", "response_id"),
    Index("leeway_predictions_entity", "model", "entity"),
    Index("leeway_predictions_time", "namespace", "model", "version", "time"),
    Index("leeway_predictions_stored", "stored"),
    mysql_engine="InnoDB",
)

labels = Table(
    "leeway_labels",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("prediction", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
    Column("observed", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Index("leeway_labels_prediction", "prediction"),
    mysql_engine="InnoDB",
)

pending_labels = Table(
    "leeway_pending_labels",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("model", _text(63), nullable=False),
    Column("namespace", _text(63), nullable=True),
    Column("key", _text(MAX_KEY), nullable=False),
    Column("row_index", Integer, nullable=False),
    Column("value", Double, nullable=False),
    Column("observed", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Index("leeway_pending_labels_key", "model", "key"),
    Index("leeway_pending_labels_received", "received"),
    mysql_engine="InnoDB",
)
