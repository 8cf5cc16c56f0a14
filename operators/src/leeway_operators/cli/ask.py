"""The verbs that ask the operator for something: pause, resume, promote, abort, approve, undo, retry, restart."""

import argparse
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from leeway_operators.cli.session import REFUSED, WAITED_IN_VAIN, EndedError, Session
from leeway_operators.core import commands
from leeway_operators.core.documents import rollout_of, status_of
from leeway_operators.core.duration import parse_duration
from leeway_operators.core.model import Command, LastCommand

_HELP: Mapping[commands.Verb, str] = {
    "pause": "keep everything where it is until resume",
    "resume": "end a pause",
    "promote": "give the new version all traffic once it is verified, whatever the evidence says",
    "abort": "take the new version's traffic back, and reject it",
    "approve": "let a version that has passed take all traffic",
    "undo": "take all traffic back to the previous version at once, and reject what serves",
    "retry": "release a rejected version again",
    "restart": "replace the pods one after the other",
}
_TRIES = 5
_LOOK_AGAIN = 0.5


def _timeout(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add(verbs: Any, where: argparse.ArgumentParser) -> None:
    """Add the verbs to the command line."""
    for verb, told in _HELP.items():
        parser = verbs.add_parser(verb, help=told, description=f"{told[0].upper()}{told[1:]}.", parents=[where])
        parser.add_argument("name", help="the model")
        parser.add_argument(
            "--timeout", type=_timeout, default=timedelta(minutes=1), help="how long to wait for the operator (1m)"
        )
        parser.set_defaults(run=_run, verb=verb)


def _run(options: argparse.Namespace, session: Session) -> None:
    command = _write(options.verb, options.name, session)
    last = _answer(command, options.name, options.timeout, session)
    if last.outcome == "Refused":
        raise EndedError(f"the operator refused to {command.verb} {options.name}: {last.message}", REFUSED)
    session.say(f"{options.name}: done")


def _write(verb: commands.Verb, name: str, session: Session) -> Command:
    """Say what the verb means for the rollout as it is, and ask for just that.

    Raises:
        EndedError: it makes no sense, or the rollout does not hold still.
    """
    by = session.cluster.user()
    for _ in range(_TRIES):
        body = session.rollout(name)
        rollout, status = rollout_of(body), status_of(body)
        meaning = commands.meaning(verb, rollout, status)
        if isinstance(meaning, commands.Senseless):
            raise EndedError(f"cannot {verb} {name}: {meaning.reason}", REFUSED)
        command = Command(id=session.identity(), verb=verb, revision=meaning.revision, by=by, at=session.now())
        if session.cluster.annotate(body, commands.annotation_of(command)):
            waiting = rollout.command
            if isinstance(waiting, Command) and (status.last_command is None or status.last_command.command != waiting):
                session.say(f"{name}: replaces {waiting.verb} by {waiting.by}, which was not executed yet")
            session.say(f"{name}: {verb} {meaning.sentence}")
            return command
    raise EndedError(f"{name} changed {_TRIES} times while it was asked to {verb}; try again")


def _answer(command: Command, name: str, timeout: timedelta, session: Session) -> LastCommand:
    """Wait for what became of it.

    Raises:
        EndedError: it was replaced, or not executed in time.
    """
    until = session.now() + timeout
    while True:
        body = session.rollout(name)
        last = status_of(body).last_command
        if last is not None and last.command.id == command.id:
            return last
        written = commands.command_of(body["metadata"].get("annotations"))
        if written is None or written.id != command.id:
            raise EndedError(f"another command has replaced {command.verb} before it was executed", REFUSED)
        if session.now() >= until:
            raise EndedError(
                f"the operator has not executed {command.verb} within {timeout.total_seconds():g} s; "
                "it will when it runs. See its log: kubectl logs -l app.kubernetes.io/component=operator -A",
                WAITED_IN_VAIN,
            )
        session.sleep(_LOOK_AGAIN)
