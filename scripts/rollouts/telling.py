"""A rollout as it happens, told line by line from its status; pure."""

from collections.abc import Iterator, Mapping
from typing import Any

Status = Mapping[str, Any]
ENDED = ("Promoted", "RolledBack", "Undone", "Withdrawn", "Superseded")


def attempts(status: Status) -> int:
    """Return the number of the last finished attempt; 0 if there is none."""
    return max((entry["number"] for entry in status.get("history", [])), default=0)


def outcome(status: Status, *, after: int) -> Mapping[str, Any] | None:
    """Return the record of the first attempt that finished after number `after`; None while it is under way."""
    ended = [entry for entry in status.get("history", []) if entry["number"] > after]
    return min(ended, key=lambda entry: entry["number"], default=None)


class Story:
    """Tells what is new in a status, and nothing twice.

    Args:
        status: before the story begins.
    """

    def __init__(self, status: Status) -> None:
        self._attempts = attempts(status)
        self._decisions = set(map(_key, status.get("decisions", [])))
        self._phase, self._held = status.get("phase"), _held(status)

    def lines(self, status: Status) -> Iterator[str]:
        """Say what changed: phases, decisions with the evidence they rest on, holds and the end."""
        phase = status.get("phase")
        if phase != self._phase:
            self._phase = phase
            yield f"{phase}{_versions(status)}"
        for decision in status.get("decisions", []):
            if _key(decision) not in self._decisions:
                self._decisions.add(_key(decision))
                yield f"{decision['time'][11:19]}  {decision['weight']:3d} %  {decision['what']}: {decision['why']}"
                yield from (f"               {line}" for line in evidence(status))
        held = _held(status)
        if held != self._held:
            self._held = held
            if held is not None:
                yield f"held, {held[0]}: {held[1]}"
        ended = outcome(status, after=self._attempts)
        if ended is not None:
            self._attempts = ended["number"]
            yield f"{ended['time'][11:19]}  {ended['version']} {ended['outcome']} ({ended['reason']})"


def evidence(status: Status) -> Iterator[str]:
    """One line for each gate: verdict, both arms, the difference with its interval, and the margin."""
    for finding in status.get("evidence", []):
        arms = " vs ".join(_side(finding.get(arm)) for arm in ("candidate", "stable"))
        numbers = [finding.get(key) for key in ("estimate", "lower", "upper")]
        if any(number is None for number in numbers):
            known = finding.get("reason", "")
        else:
            estimate, lower, upper = numbers
            known = f"{estimate:+.4f} [{lower:+.4f}, {upper:+.4f}]"
            if finding.get("margin") is not None:
                known += f", margin {finding['margin']:.4f}"
        yield f"{finding['gate']:<12} {finding['verdict']:<12} {arms:<28} {known}"


def _side(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return "-"
    mean = side.get("mean")
    return f"{'-' if mean is None else f'{mean:.4f}'} of {side['n']:g}"


def _held(status: Status) -> tuple[str, str] | None:
    held = (status.get("analysis") or {}).get("held")
    return None if held is None else (held["reason"], held["message"])


def _versions(status: Status) -> str:
    stable = (status.get("stable") or {}).get("version")
    candidate = (status.get("candidate") or {}).get("version")
    return f": {candidate} beside {stable}" if candidate else f": {stable}"


def _key(decision: Mapping[str, Any]) -> tuple[str, str, str]:
    return decision["time"], decision["what"], decision["why"]
