"""Log lines as JSON, one object a line, as `schemas/log.schema.json` says: one for each look that did something.

Exceptions and warnings are told by type and place alone, unless whoever logs one knows that its text quotes nothing
that a model was asked, and passes it on as `error`.
"""

import json
import logging
import os
import socketserver
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from wsgiref.handlers import BaseHandler

from leeway_operators.core.actions import Action, DeleteRecord, DeleteRuntime, Emit, RestartSlot, SetStatus, StopSlot
from leeway_operators.core.model import Analysis, Arm
from leeway_operators.shell.reconcile import Reconciled

COMPONENT = "operator"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_ABOUT = ("namespace", "model", "version", "request_id", "trace_id")
_LONGEST_TEXT = 2000
_LONGEST_TRACEBACK = 8000  # with the rest well under the 16 KiB at which container runtimes break a line

_log = logging.getLogger(__name__)


class LevelError(ValueError):
    """`LEEWAY_LOG_LEVEL` is none of the levels; the message names them."""


def level_from(environment: Mapping[str, str]) -> int:
    """The level that `LEEWAY_LOG_LEVEL` names; info if it names none.

    Raises:
        LevelError: it names one that there is not.
    """
    name = environment.get("LEEWAY_LOG_LEVEL") or "info"
    if name not in LEVELS:
        raise LevelError(f"LEEWAY_LOG_LEVEL {name!r}: one of {', '.join(LEVELS)} was expected")
    return LEVELS[name]


def text_of(error: BaseException) -> str:
    """What an exception says, of a type that need not say what it is."""
    return f"{type(error).__name__}: {error}"


class JsonFormatter(logging.Formatter):
    """What every line says, and of `extra` what the schema knows.

    That is namespace, model, version, request_id, trace_id, error and fields.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:23] + "Z",
            "level": record.levelname.lower(),
            "component": COMPONENT,
            "logger": record.name,
            "message": _message(record),
            **{name: str(record.__dict__[name]) for name in _ABOUT if record.__dict__.get(name)},
        }
        exception = record.exc_info[1] if record.exc_info else None
        if error := record.__dict__.get("error") or (exception and type(exception).__name__):
            line["error"] = str(error)[:_LONGEST_TEXT]
        if exception is not None:
            line["traceback"] = _traceback(exception)[-_LONGEST_TRACEBACK:]
        if fields := record.__dict__.get("fields"):
            line["fields"] = fields
        return json.dumps(line, default=str, ensure_ascii=False)


class _Lines(logging.Handler):
    """Writes past Python's own buffer: a daemon thread that logs at the very end would keep its lock, and abort all."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line to standard error."""
        line = f"{self.format(record)}\n".encode(errors="backslashreplace")  # as JSON says half a surrogate pair, too
        try:
            while line:
                line = line[os.write(2, line) :]
        except OSError:
            pass  # the log itself is gone: there is nowhere left to tell of it


def configure(level: int = logging.INFO) -> None:
    """Send all that the process has to say to standard error as JSON.

    Args:
        level: of Leeway's own lines; libraries speak from warning on, whatever it is.
    """
    handler = _Lines()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger("leeway_operators").setLevel(level)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # what a source did not say in the end is in the status
    # What Python and its servers would print by themselves, past the log.
    sys.excepthook = lambda _, error, __: _unexpected("the process failed", error, logging.CRITICAL)
    threading.excepthook = lambda failed: _unexpected("a thread failed", failed.exc_value)
    sys.unraisablehook = lambda failed: _unexpected("an error could not be raised", failed.exc_value)
    warnings.showwarning = lambda _, category, filename, lineno, *__: _warned(category, filename, lineno)
    socketserver.BaseServer.handle_error = lambda *_: _unexpected("a connection failed", sys.exception())  # type: ignore[method-assign]
    BaseHandler.log_exception = lambda *_: _unexpected("an answer failed", sys.exception())  # type: ignore[method-assign]


def _message(record: logging.LogRecord) -> str:
    """Its first line: what libraries add on further ones are representations of whatever they were at."""
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - a library's arguments that do not fit its text, whatever that raises
        text = str(record.msg)
    return "".join(text.splitlines()[:1])[:_LONGEST_TEXT]


def _traceback(error: BaseException) -> str:
    """Places and types of an exception and of those that led to it, the first of them first."""
    chain = [error]
    while (before := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        if before in chain:
            break
        chain.append(error := before)
    return "\n".join("".join([*traceback.format_tb(e.__traceback__), type(e).__name__]) for e in reversed(chain))


def _unexpected(message: str, error: BaseException | None, level: int = logging.ERROR) -> None:
    if error is not None and not isinstance(error, SystemExit):
        _log.log(level, message, exc_info=error, extra={"error": text_of(error)})


def _warned(category: type[Warning], filename: str, lineno: int) -> None:
    _log.warning("a library warned", extra={"fields": {"category": category.__name__, "at": f"{filename}:{lineno}"}})


def told_of(result: Reconciled) -> Mapping[str, Any]:
    """What a look found and did, as `extra` of a log line; of two versions it is about the one that is released."""
    status, rollout = result.after, result.rollout
    arm = status.candidate or status.stable
    about = {"namespace": rollout.namespace, "model": rollout.name, "version": arm.release.version if arm else None}
    return {**about, "fields": _fields(result)}


def _fields(result: Reconciled) -> Mapping[str, Any]:
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
        "actions": [told_action(action) for action in result.actions],
    }


def _evidence(analysis: Analysis) -> Mapping[str, str]:
    return {finding.gate: f"{finding.verdict}: {finding.reason}" for finding in analysis.findings}


def _arm(arm: Arm | None) -> str | None:
    return f"{arm.slot} {arm.release.version} {arm.release.revision}" if arm is not None else None


def told_action(action: Action) -> str:
    """What it does, and to what."""
    match action:
        case Emit():
            return f"Emit {action.reason}"
        case SetStatus():
            return "SetStatus"
        case StopSlot() | DeleteRuntime() | RestartSlot() | DeleteRecord():
            return f"{type(action).__name__} {action.name}"
        case _:
            return f"{type(action).__name__} {action.body['metadata']['name']}"
