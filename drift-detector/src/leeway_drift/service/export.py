"""The command ``leeway-drift export``: the prediction store as one Parquet file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_PAGE_ROWS = 1000
_TIMEOUT_SECONDS = 60


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``export`` to the command's parser."""
    parser = commands.add_parser("export", help="write stored predictions and their labels to a Parquet file")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--store", metavar="URL", help="the store's database, such as postgresql://user@host/database")
    source.add_argument(
        "--url", help="a running detector, such as http://127.0.0.1:8080; needs --namespace and --model"
    )
    parser.add_argument("--namespace", help="of the model")
    parser.add_argument("--model", help="its name")
    parser.add_argument("--since", type=_time, help="of the predictions: RFC 3339 with its offset, inclusive")
    parser.add_argument("--until", type=_time, help="exclusive")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.parquet")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the file; it appears when it is whole.

    Raises:
        SystemExit: with a sentence that says what is wrong.
    """
    if options.url and not (options.namespace and options.model):
        raise SystemExit("export: --url needs --namespace and --model")
    pages = _from_detector(options) if options.url else _from_store(options)
    temporary = options.output.with_name(options.output.name + ".part")
    try:
        rows = write(pages, temporary)
        temporary.replace(options.output)
    except (OSError, ValueError) as error:
        raise SystemExit(f"export: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    sys.stdout.write(f"{rows} predictions written to {options.output}\n")


def write(pages: Iterable[Sequence[Mapping[str, Any]]], path: Path) -> int:
    """Write records to a Parquet file, page by page, and return how many there were.

    Inputs and outputs stay JSON: each version has its own.
    """
    import pyarrow as pa  # noqa: PLC0415 - heavy, and an extra that only this command needs
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = _schema(pa)
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for page in pages:
            writer.write_table(pa.Table.from_pylist([_flat(record) for record in page], schema))
            rows += len(page)
    return rows


def _schema(pa: Any) -> pa.Schema:
    time = pa.timestamp("us", "UTC")
    text = pa.string()
    return pa.schema(
        [
            *((name, text) for name in ("namespace", "model", "version", "slot", "event_id")),
            ("row", pa.int32()),
            ("time", time),
            *((name, text) for name in ("request_id", "response_id", "entity", "inputs", "outputs")),
            ("label", pa.float64()),
            ("label_observed_at", time),
            ("label_received_at", time),
        ]
    )


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    import orjson  # noqa: PLC0415 - of the extra "service"

    flat = dict(record)
    for name in ("inputs", "outputs"):
        flat[name] = orjson.dumps(record[name]).decode() if record[name] is not None else None
    for name in ("time", "label_observed_at", "label_received_at"):
        if isinstance(record[name], str):
            flat[name] = datetime.fromisoformat(record[name])
    return flat


def _from_store(options: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    from leeway_drift.service.store.database import Database, StoreUnavailable  # noqa: PLC0415 - SQLAlchemy
    from leeway_drift.service.store.reading import Selection, records  # noqa: PLC0415
    from leeway_drift.service.store.tables import to_microseconds  # noqa: PLC0415

    since, until = (None if time is None else to_microseconds(time) for time in (options.since, options.until))
    try:
        database = Database(options.store)
        yield from records(database, Selection(options.namespace, options.model, since, until))
    except (StoreUnavailable, ValueError) as error:
        raise SystemExit(f"export: {error}") from error


def _from_detector(options: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    # An export from a store needs neither.
    import httpx  # noqa: PLC0415
    import orjson  # noqa: PLC0415

    period = {"since": options.since, "until": options.until}
    parameters = {name: time.isoformat() for name, time in period.items() if time is not None}
    url = f"{options.url.rstrip('/')}/v1/predictions/{options.namespace}/{options.model}"
    try:
        with httpx.stream("GET", url, params=parameters, timeout=_TIMEOUT_SECONDS) as answer:
            if answer.is_error:
                raise SystemExit(f"export: {url} answered {answer.status_code}: {answer.read().decode()[:200]}")
            page: list[dict[str, Any]] = []
            for line in answer.iter_lines():
                page.append(orjson.loads(line))
                if len(page) == _PAGE_ROWS:
                    yield page
                    page = []
            if page:
                yield page
    except httpx.HTTPError as error:
        raise SystemExit(f"export: {url}: {error}") from error


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r}: expected RFC 3339 with its offset, such as 2026-03-02T09:00:00Z")
    return time
