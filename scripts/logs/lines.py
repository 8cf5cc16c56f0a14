"""Lines that programs wrote, as the container runtime keeps them and as Loki gives them back; pure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_MEMBERS = ("logger", "namespace", "model", "version", "request_id", "trace_id", "error", "traceback")
_FIRST = ("time", "level", "component", "logger", "message")


@dataclass(frozen=True)
class Line:
    """One line: of a program of Leeway with its time, level and members; of another one its text alone.

    Attributes:
        service: the program, or the container of another one's.
        text: the message, or all of it.
        milliseconds: of Unix time, as the program wrote it.
        level: of the schema.
        members: of the schema that are texts, by name.
    """

    service: str
    text: str
    milliseconds: int | None = None
    level: str = ""
    members: tuple[tuple[str, str], ...] = ()


def written(stored: bytes, container: str, *, since: int = 0) -> list[Line]:
    """Return the lines in a part of a log file of the container runtime (TIME STREAM P|F TEXT), parts put together.

    What is not ended is left out, for more of it may come.

    Args:
        stored: whole lines from their beginning on.
        container: whose file it is.
        since: nanoseconds of Unix time; lines with an earlier time are left out.
    """
    found, parts = [], []
    for entry in stored.split(b"\n")[:-1]:
        moment, _, kind, text = entry.decode(errors="replace").split(" ", 3)
        parts.append(text)
        if kind == "F":
            line = _line("".join(parts), container)
            if (_nanoseconds(moment) if line.milliseconds is None else line.milliseconds * 1_000_000) >= since:
                found.append(line)
            parts = []
    return found


def kept(answer: Mapping[str, Any]) -> list[Line]:
    """Return the lines in what Loki answers to a query of lines."""
    return [
        _of_loki(stream["stream"], int(nanoseconds), text)
        for stream in answer["data"]["result"]
        for nanoseconds, text in stream["values"]
    ]


def missing(expected: Iterable[Line], found: Iterable[Line]) -> tuple[Counter[Line], Counter[Line]]:
    """Return the lines that did not arrive, and those that arrived but were never written, or too often.

    Lines of Leeway that are alike in everything, the millisecond included, are one for Loki.
    """
    one = _once(expected)
    other = Counter(found)
    return one - other, other - one


def _once(lines: Iterable[Line]) -> Counter[Line]:
    return Counter({line: 1 if line.milliseconds is not None else count for line, count in Counter(lines).items()})


def _line(text: str, container: str) -> Line:
    try:
        parsed = json.loads(text)
    except ValueError:
        return Line(container, text.rstrip())  # the Collector leaves spaces at a line's end out
    if not isinstance(parsed, dict) or tuple(parsed)[: len(_FIRST)] != _FIRST:
        return Line(container, text.rstrip())
    return Line(
        parsed["component"],
        parsed["message"],
        _nanoseconds(parsed["time"]) // 1_000_000,
        parsed["level"],
        _members(parsed),
    )


def _of_loki(labels: Mapping[str, str], nanoseconds: int, text: str) -> Line:
    service, members = labels["service_name"], _members(labels)
    if not members:  # each line of Leeway has its logger
        return Line(service, text)
    return Line(service, text, nanoseconds // 1_000_000, labels.get("severity_text", ""), members)


def _members(of: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, of[name]) for name in _MEMBERS if name in of)


def _nanoseconds(moment: str) -> int:
    """Return Unix time from RFC 3339, whose fraction may have nine digits."""
    seconds, _, fraction = moment.removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0"))
