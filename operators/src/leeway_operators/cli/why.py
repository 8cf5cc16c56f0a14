"""`history` and `why`: how rollouts ended, and the record of one."""

import argparse
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from leeway_operators.cli import plot
from leeway_operators.cli.session import EndedError, Session
from leeway_operators.cli.table import columns
from leeway_operators.core import entries, records
from leeway_operators.core.documents import rollout_of, status_of
from leeway_operators.core.figures import count, span
from leeway_operators.core.model import Record, Status
from leeway_operators.core.reading import Fields

_WIDTH = 100


def add(verbs: Any, where: argparse.ArgumentParser) -> None:
    """Add the verbs to the command line."""
    history = verbs.add_parser("history", help="how the last rollouts ended", parents=[where])
    history.add_argument("name", nargs="?", help="the model (default: the only one)")
    history.set_defaults(run=_history)
    why = verbs.add_parser("why", help="the record of a rollout: every decision, with its numbers", parents=[where])
    why.add_argument("name", nargs="?", help="the model (default: the only one)")
    why.add_argument("--number", type=int, help="of a finished rollout (default: the one under way, else the last)")
    why.add_argument("-o", "--output", choices=("text", "json", "markdown"), default="text")
    why.set_defaults(run=_why)


def _history(options: argparse.Namespace, session: Session) -> None:
    body = session.rollout(options.name)
    history = status_of(body).history
    if not history:
        raise EndedError(f"no rollout of {body['metadata']['name']} has ended yet")
    header = ("NUMBER", "VERSION", "REVISION", "OUTCOME", "REASON", "ENDED")
    now = session.now()
    rows = [
        (str(item.number), item.version, item.revision, item.outcome, item.reason, f"{span(now - item.time)} ago")
        for item in history
    ]
    session.say(columns([header, *rows]))


def _why(options: argparse.Namespace, session: Session) -> None:
    body = session.rollout(options.name)
    status = status_of(body)
    if options.number is None and (status.candidate is not None or not status.history):
        record = records.document(rollout_of(body), status, None)
    else:
        record = _recorded(body, _ended(status, options.number, body["metadata"]["name"]), session)
    if options.output == "json":
        session.say(json.dumps(record, indent=2))
    elif options.output == "markdown":
        session.say(records.markdown(record).rstrip("\n"))
    else:
        for line in told(record):
            session.say(line)


def _ended(status: Status, number: int | None, name: str) -> Record:
    found = next((item for item in status.history if number in (None, item.number)), None)
    if found is None:
        known = ", ".join(str(item.number) for item in status.history) or "none"
        raise EndedError(f"{name} has no finished rollout {number}; the last ones: {known}")
    return found


def _recorded(body: Mapping[str, Any], record: Record, session: Session) -> dict[str, Any]:
    namespace, model = body["metadata"]["namespace"], body["metadata"]["name"]
    name = records.name_of(model, record.number)
    data = session.cluster.record(namespace, name)
    if data is None:
        ending = f"version {record.version} {record.outcome} ({record.reason}) at {entries.timestamp(record.time)}"
        raise EndedError(f"ConfigMap {namespace}/{name} is gone; status.history says: {ending}")
    try:
        return records.parsed(data[records.JSON_KEY])
    except (KeyError, ValueError) as error:
        raise EndedError(f"ConfigMap {namespace}/{name}: {records.JSON_KEY} holds no record: {error!r}") from error


def told(record: Mapping[str, Any]) -> Iterator[str]:
    """Lines of a record, for a terminal."""
    yield records.title(record)
    if record.get("why"):
        yield from textwrap.wrap(record["why"], _WIDTH)
    yield ""
    for role in ("candidate", "stable"):
        if role in record:
            arm = record[role]
            yield f"  {role:<10} version {arm['version']} ({arm['revision']}), slot {arm['slot']}, {arm['storageUri']}"
            yield f"  {'':<10} {arm.get('digest', 'no digest')}"
    if "began" in record:
        yield f"  {'began':<10} {record['began']}"
    if "ended" in record and "began" in record:
        lasted = datetime.fromisoformat(record["ended"]) - datetime.fromisoformat(record["began"])
        yield f"  {'ended':<10} {record['ended']}, after {span(lasted)}"
    if "requests" in record:
        requests, failures = count(record["requests"]), count(record["failures"])
        yield f"  {'counted':<10} {requests} requests to the candidate, {failures} of them failed"
    yield from _decisions(record)
    yield from _evidence(record)


def _decisions(record: Mapping[str, Any]) -> Iterator[str]:
    if not record["decisions"]:
        return
    width = max(len(item["what"]) for item in record["decisions"])
    yield ""
    for item in record["decisions"]:
        clock = datetime.fromisoformat(item["time"]).strftime("%H:%M:%S")
        head = f"{clock}  {item['weight']:>3} %  {item['what']:<{width}}  "
        yield from textwrap.wrap(item["why"], _WIDTH, initial_indent=head, subsequent_indent=" " * len(head)) or [
            head.rstrip()
        ]


def _evidence(record: Mapping[str, Any]) -> Iterator[str]:
    """The numbers of the last look, or of the last decision that was taken on some."""
    looks = [record["evidence"], *(item["evidence"] for item in reversed(record["decisions"]))]
    latest: Sequence[Mapping[str, Any]] = next((look for look in looks if look), [])
    findings = [entries.finding_of(Fields.of("record.evidence", item)) for item in latest]
    if not findings:
        return
    yield ""
    yield from plot.gates(findings)
    drawn = list(plot.intervals(findings))
    if drawn:
        yield from ("", *drawn)
