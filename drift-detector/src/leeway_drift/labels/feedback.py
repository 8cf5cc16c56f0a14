"""From the body of a feedback request to labels: JSON, NDJSON or CSV. Nothing of it is trusted."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_ITEMS = 10_000
MAX_KEY = 256
"""Characters of an id or an entity."""

CLOCK_SKEW_SECONDS = 300
"""By how much a sender's clock may be ahead. A label from the future would stand against every later correction."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_ROW = 2**31 - 1
_MODEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_FIELDS = ("id", "entity", "model", "namespace", "row", "label", "observed_at")
_JSON = "application/json"
_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_CSV = "text/csv"


class UnreadableFeedback(ValueError):  # noqa: N818 - it says what the body is
    """The body as a whole cannot be read; the message names where and what was expected."""


class UnsupportedMediaType(ValueError):  # noqa: N818 - HTTP's own words
    """Its content type is none of those that are read."""


@dataclass(frozen=True, slots=True)
class Label:
    """What turned out to be true of one predicted row.

    Attributes:
        model: its name.
        namespace: None if the sender does not say; then the id has to be enough.
        id: the ``id`` of a V2 response, the ``x-request-id``, or the logger's event id; None if ``entity`` is given.
        entity: value of the manifest's ``entity_key``; narrows the id down, or stands for it.
        row: of the request, from 0.
        value: the class's index, or the value of a regression.
        observed_at: when it became known; None means now.
    """

    model: str
    namespace: str | None
    id: str | None
    entity: str | float | None
    row: int
    value: float
    observed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Invalid:
    """An item that is no label.

    Attributes:
        reason: the field, what it holds, and what was expected.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """Everything one request says; ``single`` if it was one JSON object and not a list."""

    items: tuple[Label | Invalid, ...]
    single: bool


def is_key(value: object) -> bool:
    """Whether a value can be an id: text of 1 to 256 printable characters."""
    return isinstance(value, str) and 0 < len(value) <= MAX_KEY and value.isprintable()


def read_feedback(body: bytes, content_type: str, now: datetime) -> Feedback:
    """Read a request's body.

    Args:
        body: as sent.
        content_type: its header; parameters are ignored, nothing means JSON.
        now: labels cannot have been observed later.

    Raises:
        UnreadableFeedback: it is not the format it claims to be, or holds too many items.
        UnsupportedMediaType: none of JSON, NDJSON and CSV.
    """
    media_type = content_type.partition(";")[0].strip().lower() or _JSON
    if media_type not in (_JSON, _CSV, *_NDJSON):
        expected = ", ".join((_JSON, *_NDJSON, _CSV))
        raise UnsupportedMediaType(f"content-type: {media_type!r:.80}, expected one of {expected}")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFeedback(f"body: byte {error.start} is not UTF-8") from error
    if media_type == _JSON:
        document = _parse(text, "body", UnreadableFeedback)
        if isinstance(document, dict):
            return Feedback((_label(document, now),), single=True)
        if not isinstance(document, list):
            raise UnreadableFeedback("body: expected a JSON object or a list of them")
        return Feedback(_bounded(_label(item, now) for item in document), single=False)
    if media_type == _CSV:
        return Feedback(_bounded(_of_csv(text, now)), single=False)
    lines = (line for line in text.split("\n") if line.strip())  # JSON may hold what else Python takes for a line's end
    return Feedback(_bounded(_of_line(line, now) for line in lines), single=False)


def _bounded(items: Iterable[Label | Invalid]) -> tuple[Label | Invalid, ...]:
    read: list[Label | Invalid] = []
    for item in items:
        if len(read) == MAX_ITEMS:
            raise UnreadableFeedback(f"body: more than {MAX_ITEMS} items; send them in several requests")
        read.append(item)
    return tuple(read)


def _parse(text: str, where: str, fault: Callable[[str], Exception]) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise fault(f"{where}: {error!s:.120}, expected JSON") from error


def _of_line(line: str, now: datetime) -> Label | Invalid:
    try:
        return _label(_parse(line, "line", _FaultError), now)
    except _FaultError as fault:
        return Invalid(str(fault))


def _of_csv(text: str, now: datetime) -> Iterator[Label | Invalid]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if unknown := [name for name in header if name not in _FIELDS]:
            raise UnreadableFeedback(f"CSV header: column {unknown[0]!r:.80}, expected some of {', '.join(_FIELDS)}")
        if len(set(header)) < len(header) or "label" not in header or "model" not in header:
            raise UnreadableFeedback("CSV header: expected the columns model and label, and each column once")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                yield Invalid(f"{len(cells)} cells, expected {len(header)} as the header has")
                continue
            yield _label(_typed({name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()}), now)
    except csv.Error as error:
        raise UnreadableFeedback(f"CSV line {reader.line_num}: {error!s:.120}") from error


def _typed(cells: Mapping[str, str]) -> dict[str, object]:
    """Cells that are numbers in JSON; one that is none stays text, which the check of its field then names."""
    typed: dict[str, object] = dict(cells)
    for name, kind in (("row", int), ("label", float)):
        try:
            typed[name] = kind(cells[name])
        except (KeyError, ValueError):
            continue
    return typed


class _FaultError(ValueError):
    """One field of one item is wrong."""


def _label(item: object, now: datetime) -> Label | Invalid:
    try:
        return _checked(item, now)
    except _FaultError as fault:
        return Invalid(str(fault))


def _checked(item: object, now: datetime) -> Label:
    if not isinstance(item, dict):
        raise _FaultError(f"{item!r:.80}, expected an object")
    if unknown := [name for name in item if name not in _FIELDS]:
        raise _FaultError(f"{unknown[0]!r:.80}: no such field, expected {', '.join(_FIELDS)}")
    given = {name: value for name, value in item.items() if value is not None}
    identity = given.get("id")
    if "id" in given and not is_key(identity):
        raise _FaultError(f"id: {identity!r:.80}, expected text of 1 to {MAX_KEY} printable characters")
    entity = _entity(given["entity"]) if "entity" in given else None
    if identity is None and entity is None:
        raise _FaultError("id: missing, expected the id of a response, an x-request-id, or else an entity")
    return Label(
        model=_named(given, "model", _MODEL),
        namespace=_named(given, "namespace", _NAMESPACE) if "namespace" in given else None,
        id=identity,
        entity=entity,
        row=_row(given.get("row", 0)),
        value=_value(given),
        observed_at=_observed(given["observed_at"], now) if "observed_at" in given else None,
    )


def _named(given: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _FaultError(f"{name}: {value!r:.80}, expected the name of a {name} ({pattern.pattern})")
    return value


def _entity(value: object) -> str | float:
    if isinstance(value, str) and is_key(value):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_finite(value):
        return float(value)
    raise _FaultError(f"entity: {value!r:.80}, expected a number, or text of 1 to {MAX_KEY} printable characters")


def _row(value: object) -> int:
    if type(value) is int and 0 <= value <= _MAX_ROW:
        return value
    raise _FaultError(f"row: {value!r:.80}, expected an integer from 0 on, the row of the request")


def _value(given: Mapping[str, Any]) -> float:
    value = given.get("label")
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not _is_finite(value):
        raise _FaultError(f"label: {value!r:.80}, expected a finite number: the index of the class, or the value")
    return float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False


def _observed(value: object, now: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None or time < _EARLIEST:
        raise _FaultError(f"observed_at: {value!r:.80}, expected an RFC 3339 time with its offset, from 1970 on")
    if (time - now).total_seconds() > CLOCK_SKEW_SECONDS:
        raise _FaultError(
            f"observed_at: {value!r:.80} lies in the future; it is {now.isoformat(timespec='seconds')} here"
        )
    return time
