"""Log lines as JSON, one object a line: one for each look that did something, none for one that found all as it is."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from leeway_operators.core.actions import Action, DeleteRecord, DeleteRuntime, Emit, RestartSlot, SetStatus, StopSlot
from leeway_operators.core.model import Analysis, Arm
from leeway_operators.shell.reconcile import Reconciled


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, the fields given as `extra={"fields": {...}}`, and the traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure() -> None:
    """Send all log lines of the process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # one line per probe is no news
    logging.getLogger("stamina").setLevel(logging.ERROR)  # what a source did not say in the end is in the status


def fields_of(result: Reconciled) -> Mapping[str, Any]:
    """What a look found and did, as fields of a log line."""
    status = result.after
    return {
        "phase": status.phase,
        "stable": _arm(status.stable),
        "candidate": _arm(status.candidate),
        "previous": _arm(status.previous),
        "weights": {"a": status.weights.a, "b": status.weights.b},
        "conditions": {
            condition.type: f"{condition.status}: {condition.reason}: {condition.message}"
            for condition in status.conditions
        },
        **({"step": status.analysis.step, "evidence": _evidence(status.analysis)} if status.analysis else {}),
        "actions": [_told(action) for action in result.actions],
    }


def _evidence(analysis: Analysis) -> Mapping[str, str]:
    return {finding.gate: f"{finding.verdict}: {finding.reason}" for finding in analysis.findings}


def _arm(arm: Arm | None) -> str | None:
    return f"{arm.slot} {arm.release.version} {arm.release.revision}" if arm is not None else None


def _told(action: Action) -> str:
    match action:
        case Emit():
            return f"Emit {action.reason}"
        case SetStatus():
            return "SetStatus"
        case StopSlot() | DeleteRuntime() | RestartSlot() | DeleteRecord():
            return f"{type(action).__name__} {action.name}"
        case _:
            return f"{type(action).__name__} {action.body['metadata']['name']}"
