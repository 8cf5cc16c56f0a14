"""What `kubectl leeway status` shows, from ModelRollouts as they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HEADER = ("NAMESPACE", "MODEL", "STABLE", "SLOT", "CANDIDATE", "WEIGHTS", "PHASE", "VERDICT", "READY", "MESSAGE")


def row(body: Mapping[str, Any]) -> tuple[str, ...]:
    """One rollout. The message is what is wrong, else what is under way or held back, else what serves."""
    status = body.get("status") or {}
    stable, candidate, weights = status.get("stable", {}), status.get("candidate", {}), status.get("weights", {})
    conditions = {entry["type"]: entry for entry in status.get("conditions", [])}
    ready = conditions.get("Ready", {})
    degraded, progressing = (conditions.get(kind, {}) for kind in ("Degraded", "Progressing"))
    told: Mapping[str, Any] = ready
    if degraded.get("status") == "True":
        told = degraded
    elif ready.get("status") == "True" and progressing.get("reason", "Finished") != "Finished":
        told = progressing
    return (
        body["metadata"]["namespace"],
        body["metadata"]["name"],
        stable.get("version", "-"),
        stable.get("slot", "-"),
        candidate.get("version", "-"),
        f"a={weights.get('a', 0)} b={weights.get('b', 0)}",
        status.get("phase", "Pending"),
        status.get("verdict", "-"),
        ready.get("status", "Unknown"),
        told.get("message", "the operator has not seen it yet"),
    )


def table(rows: Iterable[Sequence[str]], *, namespaces: bool) -> str:
    """Columns as kubectl prints them; the namespace only if there may be several."""
    lines: list[Sequence[str]] = [HEADER, *rows]
    if not namespaces:
        lines = [line[1:] for line in lines]
    return columns(lines)


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Cells, each as wide as the widest of its column."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
