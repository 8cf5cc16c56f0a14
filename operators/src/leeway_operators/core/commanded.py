"""Executes the command that a person has written, once."""

from typing import cast

from leeway_operators.core import attempts, commands
from leeway_operators.core.actions import Emit
from leeway_operators.core.model import Command, LastCommand, UnreadableCommand
from leeway_operators.core.turn import Turn


def execute(turn: Turn, frozen: str | None) -> Turn:
    """Do what the command says if it is a new one and makes sense; either way it is said what became of it.

    Args:
        turn: so far.
        frozen: why nothing may move forward anywhere; None: it may.
    """
    command, last = turn.rollout.command, turn.status.last_command
    if command is None or (last is not None and last.command.id == command.id):
        return turn
    if isinstance(command, UnreadableCommand):
        unread = Command(id=command.id, verb="unreadable", revision=None, by="unknown", at=turn.now)
        return _answered(turn, unread, command.reason, done=False)
    meant = commands.meaning(cast("commands.Verb", command.verb), turn.rollout, turn.status)
    refusal = _refusal(turn, command, meant, frozen)
    if refusal is not None or isinstance(meant, commands.Senseless):
        return _answered(turn, command, refusal or "", done=False)
    # The answer belongs to the attempt that the command was for, which it may end.
    return _executed(_answered(turn, command, meant.sentence, done=True), command)


def _refusal(
    turn: Turn, command: Command, meant: commands.Meaning | commands.Senseless, frozen: str | None
) -> str | None:
    if isinstance(meant, commands.Senseless):
        return meant.reason
    if command.revision is not None and meant.revision is not None and command.revision != meant.revision:
        return f"it was meant for revision {command.revision}; by now it would be for {meant.revision}"
    if command.verb == "promote" and frozen is not None:
        return f"releases are frozen: {frozen}"
    if command.verb in {"promote", "abort"} and attempts.is_undo(turn.status):
        return "the version before is just taking its traffic back"
    return None


def _answered(turn: Turn, command: Command, message: str, *, done: bool) -> Turn:
    what = "CommandDone" if done else "CommandRefused"
    why = f"{command.verb} by {command.by}: {message}"
    arm = turn.status.candidate or turn.status.stable
    if arm is None:
        turn = turn.telling(Emit(key=f"command/{command.id}", type="Normal", reason=what, message=why))
    else:
        turn = turn.decided(what, why, arm=arm, weight=turn.status.weights.of(arm.slot), warning=not done)
    outcome = LastCommand(command=command, outcome="Done" if done else "Refused", message=message, time=turn.now)
    return turn.having(last_command=outcome)


def _executed(turn: Turn, command: Command) -> Turn:  # noqa: PLR0911 one for each verb
    status = turn.status
    stable, candidate, previous = status.stable, status.candidate, status.previous
    match command.verb:
        case "pause":
            return turn.having(paused_by=command)
        case "resume":
            return turn.having(paused_by=None)
        case "promote":
            return turn.having(promoting="PromotedByCommand")
        case "abort" if candidate is not None:
            return attempts.roll_back(turn, candidate, "AbortedByCommand", f"aborted by {command.by}")
        case "approve" if candidate is not None:
            return turn.having(approved=candidate.release.revision)
        case "undo" if stable is not None and previous is not None:
            return attempts.undo(turn, stable, previous, "UndoneByCommand")
        case "retry":
            revision = turn.rollout.release.revision
            return turn.having(rejected=tuple(e for e in status.rejected if e.revision != revision))
        case _:
            # A restart is carried out, as often as it takes, from what is remembered here.
            return turn
