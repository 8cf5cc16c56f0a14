"""The connection to the store's database: one code for four servers, and what each needs to be told."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.pool import ConnectionPoolEntry

from leeway_drift.service.store.tables import SCHEMA, metadata, schema

TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
_RESERVED_BYTES = 64 * 2**20
_STATES_OF_THE_SERVER = frozenset({"08", "25", "28", "3D", "53", "55", "57", "58"})
"""Classes of SQLSTATE that say how the server is, and not what is wrong with a statement."""
_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+pg8000",
    "postgres": "postgresql+pg8000",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}


class StoreUnavailable(Exception):  # noqa: N818 - it says what is the case
    """The database cannot be reached, is full, or holds another layout; the message says which, and is for the log."""


def sqlite_url(folder: Path) -> str:
    """The store that needs no server: one file in the data folder."""
    return f"sqlite:///{folder / 'predictions.sqlite'}"


class Database:
    """Opens, prepares and shares connections.

    The tables are made at first use, not at construction: a database that is down when the process starts is a
    fault to recover from, not a reason to end.

    Args:
        url: ``sqlite:///…``, ``postgresql://…``, ``mysql://…`` or ``mariadb://…``; the driver is ours to choose.

    Raises:
        ValueError: it is none of these.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(_with_driver(url))
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._prepared = False
        # SQLite has one writer at a time; in a process, waiting in line beats polling its lock.
        self._writing = threading.Lock()

    @property
    def dialect(self) -> str:
        """``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``."""
        return self._engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose reads see one moment.

        Raises:
            StoreUnavailable: it cannot be had, or fails while used.
        """
        with _as_unavailable():
            self._prepare()
            with self._connect() as connection:
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed at the end and rolled back by an exception.

        Raises:
            StoreUnavailable: it cannot be had, or fails while used.
        """
        with _as_unavailable():
            self._prepare()
            with self._writing, self._connect() as opened:
                connection = opened.execution_options(leeway_writes=True)
                with connection.begin():
                    yield connection

    def close(self) -> None:
        """Close idle connections."""
        self._engine.dispose()

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except (
            OSError
        ):  # of a connection that was cut: pg8000 does not wrap it, and so the pool's ping does not know it
            self._engine.dispose()
            return self._engine.connect()

    def _prepare(self) -> None:
        if self._prepared:
            return
        with self._writing:
            metadata.create_all(self._engine)
            with self._engine.begin() as connection:
                found = connection.scalar(select(schema.c.version))
                if found is None:
                    connection.execute(insert(schema).values(version=SCHEMA))
                elif found != SCHEMA:
                    raise StoreUnavailable(
                        f"the store has layout {found}, expected {SCHEMA}; give this version its own"
                    )
            self._prepared = True


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(f"the prediction store: {_told(error)}") from error


def _told(error: Exception) -> str:
    """What a driver says of its server; of a statement, whose values it may quote, only what kind of fault it has."""
    cause = getattr(error, "orig", None) or error
    kind = type(cause).__name__
    said = cause.args[0] if cause.args else None
    if isinstance(
        said, dict
    ):  # PostgreSQL's own, by field: https://www.postgresql.org/docs/17/protocol-error-fields.html
        state = str(said.get("C"))
        return f"{kind} {state}" + (f": {said.get('M')!s:.200}" if state[:2] in _STATES_OF_THE_SERVER else "")
    if isinstance(error, StatementError) and not isinstance(error, OperationalError | InterfaceError):
        return kind
    return f"{kind}: {cause!s:.200}"


def _with_driver(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or "@" in (parsed.host or ""):
        # Neither the URL nor what the parser says of it: where it is cut wrongly, parts of the password are in there.
        raise ValueError(
            "store URL: unreadable, expected such as postgresql://user:password@host/database, "
            "with the password percent-encoded"
        )
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        expected = ", ".join(sorted(_DRIVERS))
        raise ValueError(f"store URL: scheme {parsed.get_backend_name()!r:.40}, expected one of {expected}")
    return parsed.set(drivername=driver)


def _engine(url: URL) -> Engine:
    match url.get_backend_name():
        case "sqlite":
            engine = create_engine(url, connect_args={"timeout": TIMEOUT_SECONDS})
            _make_sqlite_keep_its_word(engine, Path(url.database or "."))
            return engine
        case "postgresql":
            arguments = {"timeout": TIMEOUT_SECONDS}
        case _:
            arguments = {
                "connect_timeout": TIMEOUT_SECONDS,
                "read_timeout": _READ_TIMEOUT_SECONDS,
                "write_timeout": _READ_TIMEOUT_SECONDS,
            }
            url = url.update_query_dict({"charset": "utf8mb4"})
    return create_engine(
        url,
        connect_args=arguments,
        pool_pre_ping=True,  # a connection that a restart of the server has cut is replaced, not used
        pool_timeout=TIMEOUT_SECONDS,
        pool_size=3,
        max_overflow=3,
    )


def room(own: int, free: int, total: int) -> int:
    """Bytes that a SQLite file may grow to.

    Not all of the volume: to delete takes some space, too, so that a store on a full volume would stay full for ever,
    and the detector's snapshots are on the same one.

    Args:
        own: bytes of the file and its log.
        free: bytes of the volume that nobody has.
        total: bytes of the volume.
    """
    return max(0, own + free - min(_RESERVED_BYTES, total // 4))


def _room(path: Path) -> int:
    volume = shutil.disk_usage(path.parent)
    own = sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())
    return room(own, volume.free, volume.total)


def _make_sqlite_keep_its_word(engine: Engine, path: Path) -> None:
    """SQLite as SQLAlchemy's documentation tells to set it up: real transactions, readers beside the writer."""

    @event.listens_for(engine, "connect")
    def connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(
            "PRAGMA synchronous = NORMAL"
        )  # a crash of the machine may cost the last moments, never the file
        [page_bytes] = cursor.execute("PRAGMA page_size").fetchone()
        cursor.execute(f"PRAGMA max_page_count = {max(1, _room(path) // page_bytes)}")  # 0 would be no bound
        cursor.close()

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # A transaction that reads first and then finds another writer ahead of it cannot go on: writers lock at once.
        writes = connection.get_execution_options().get("leeway_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
