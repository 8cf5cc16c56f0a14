"""What the drills tell a person; pure."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence

from drill.alerts.catalog import Drill
from drill.alerts.outcome import Outcome

_HEADER = ("ALERT", "FAULT", "SLACK", "PROMISED", "RESOLVED", "MESSAGE")


def timed(print_line: Callable[[str], None], *, now: Callable[[], float]) -> Callable[[str], None]:
    """Return what prints lines with the time since now, as minutes and seconds."""
    start = now()

    def say(line: str) -> None:
        seconds = int(now() - start)
        print_line(f"{seconds // 60:3d}:{seconds % 60:02d}  {line}")

    return say


def listed(drills: Iterable[Drill]) -> str:
    """Return the drills that there are."""
    rows = [(drill.alert, str(drill.minutes), drill.fault) for drill in drills]
    return _columns([("ALERT", "MINUTES", "FAULT"), *rows])


def message(outcome: Outcome) -> str:
    """Return a message as Slack shows it: title, text, buttons."""
    bar = {"danger": "red", "warning": "yellow", "good": "green"}.get(outcome.color, outcome.color)
    buttons = [f"[{text}] {url}" for text, url in outcome.actions.items()]
    lines = [f"Slack ({bar}):", "", outcome.title, *outcome.text.splitlines(), *buttons]
    return "\n".join([lines[0], *(f"  | {line}".rstrip() for line in lines[2:])])


def table(outcomes: Sequence[Outcome], faults: Iterable[Drill]) -> str:
    """Return a line for each outcome: what was promised, and what came of it; gaps last, in full."""
    words = {drill.alert: drill.fault for drill in faults}
    rows = [_HEADER]
    for one in sorted(outcomes, key=lambda one: bool(one.gap)):
        times = (_seconds(one.seconds), _seconds(one.promised), _seconds(one.resolved_seconds))
        rows.append(
            (one.alert, words[one.alert], *times, f"MISSING: {' '.join(one.gap.split())}" if one.gap else one.title)
        )
    gaps = sum(bool(one.gap) for one in outcomes)
    ending = "no gap" if not gaps else f"{gaps} gap{'s' if gaps > 1 else ''}"
    return f"{_columns(rows)}\n\n{len(outcomes) - gaps} of {len(outcomes)} alerts reached Slack in time: {ending}"


def document(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as JSON."""
    return json.dumps([dataclasses.asdict(one) for one in outcomes], indent=2, ensure_ascii=False)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f} s"


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
