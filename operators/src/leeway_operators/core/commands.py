"""What a person may ask of a rollout: the annotation it is written in, what it would do, and when it makes no sense."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from leeway_operators.core.advance import AWAITING_APPROVAL
from leeway_operators.core.model import Command, Rollout, Status, UnreadableCommand

ANNOTATION = "leeway.dev/command"
Verb = Literal["pause", "resume", "promote", "abort", "approve", "undo", "retry", "restart"]
VERBS: tuple[Verb, ...] = get_args(Verb)

_LONGEST = 2048
_LONGEST_NAME = 253
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
_REVISION = re.compile(r"[0-9a-f]{10}")
_FIELDS = {"id", "verb", "by", "at"}


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What a verb would do now.

    Attributes:
        revision: of the attempt it is meant for; None: whatever there is.
        sentence: for the person who asks.
    """

    revision: str | None
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Senseless:
    """Why a verb has nothing to do now, and what may have been meant."""

    reason: str


def command_of(annotations: Mapping[str, str] | None) -> Command | UnreadableCommand | None:
    """The command of a ModelRollout's `metadata.annotations`; None if there is none."""
    text = (annotations or {}).get(ANNOTATION)
    if text is None:
        return None
    identity = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    try:
        value = _object(text)
        if isinstance(value.get("id"), str) and _ID.fullmatch(value["id"]):
            identity = value["id"]
        return _parsed(value)
    except ValueError as error:
        return UnreadableCommand(id=identity, reason=f"annotation {ANNOTATION}: {error}")


def _object(text: str) -> dict[str, Any]:
    if len(text) > _LONGEST:
        raise ValueError(f"{len(text)} characters, at most {_LONGEST} expected")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"JSON expected: {error}") from None
    except RecursionError:
        raise ValueError("a JSON object expected, not a nest of lists") from None
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object expected, not {type(value).__name__}")  # noqa: TRY004 one kind of error
    return value


def _parsed(value: Mapping[str, Any]) -> Command:
    unknown = set(value) - _FIELDS - {"revision"}
    if unknown:
        raise ValueError(f"unknown field {min(unknown)[:40]!r}, {', '.join(sorted(_FIELDS | {'revision'}))} expected")
    texts = {name: _text(value, name) for name in _FIELDS}
    if _ID.fullmatch(texts["id"]) is None:
        raise ValueError("id: at most 64 letters, digits, '-' and '.' expected")
    if texts["verb"] not in VERBS:
        raise ValueError(f"unknown verb {texts['verb'][:40]!r}, one of {', '.join(VERBS)} expected")
    revision = _text(value, "revision") if "revision" in value else None
    if revision is not None and _REVISION.fullmatch(revision) is None:
        raise ValueError(f"revision {revision[:40]!r}: ten hex digits expected")
    try:
        at = datetime.fromisoformat(texts["at"])
    except ValueError:
        raise ValueError(f"at {texts['at'][:40]!r}: a time such as 2026-01-31T12:00:00Z expected") from None
    if at.tzinfo is None:
        raise ValueError(f"at {texts['at'][:40]!r}: a time with its zone expected, such as 2026-01-31T12:00:00Z")
    return Command(id=texts["id"], verb=texts["verb"], revision=revision, by=texts["by"], at=at.astimezone(UTC))


def _text(value: Mapping[str, Any], name: str) -> str:
    if name not in value:
        raise ValueError(f"{name} is missing")
    text = value[name]
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST_NAME or not text.isprintable():
        raise ValueError(f"{name}: 1 to {_LONGEST_NAME} printable characters expected")
    return text


def annotation_of(command: Command) -> dict[str, str]:
    """The annotation that `command_of` reads; whole seconds."""
    value = {
        "id": command.id,
        "verb": command.verb,
        **({"revision": command.revision} if command.revision is not None else {}),
        "by": command.by,
        "at": command.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {ANNOTATION: json.dumps(value)}


@dataclass(frozen=True)
class _Asked:
    """Each verb, held against a rollout as it is."""

    rollout: Rollout
    status: Status

    def pause(self) -> Meaning | Senseless:
        if self.status.paused_by is not None:
            return Senseless(reason=f"it is paused already, by {self.status.paused_by.by}; resume ends that")
        if self.status.candidate is None:
            return Meaning(revision=None, sentence="holds back every new release until resume")
        weight = self.status.weights.of(self.status.candidate.slot)
        version = self.status.candidate.release.version
        return Meaning(revision=None, sentence=f"keeps version {version} at {weight} % of the traffic until resume")

    def resume(self) -> Meaning | Senseless:
        if self.status.paused_by is None:
            spec = "; spec.paused holds it, which its owner sets to false" if self.rollout.paused else ""
            return Senseless(reason=f"no pause command holds it{spec}")
        still = ", but spec.paused still holds it" if self.rollout.paused else ""
        return Meaning(revision=None, sentence=f"ends the pause of {self.status.paused_by.by}{still}")

    def promote(self) -> Meaning | Senseless:
        candidate = self.status.candidate
        if candidate is None:
            return Senseless(reason="no new version is coming up")
        if self.status.paused_by is not None:
            return Senseless(reason=f"it is paused by {self.status.paused_by.by}; resume first")
        if self.rollout.paused:
            return Senseless(reason="spec.paused holds it; its owner sets that to false first")
        release = candidate.release
        sentence = f"gives version {release.version} all traffic once it is verified, whatever the evidence says"
        return Meaning(revision=release.revision, sentence=sentence)

    def abort(self) -> Meaning | Senseless:
        candidate = self.status.candidate
        if candidate is None:
            served = " (undo takes back what was promoted)" if self.status.previous is not None else ""
            return Senseless(reason=f"no new version is coming up{served}")
        if self.status.stable is None:
            return Senseless(reason=f"no version serves that version {candidate.release.version} could give way to")
        version, stable = candidate.release.version, self.status.stable.release.version
        sentence = f"takes all traffic back to version {stable}, and rejects version {version} until retry"
        return Meaning(revision=candidate.release.revision, sentence=sentence)

    def approve(self) -> Meaning | Senseless:
        candidate = self.status.candidate
        if candidate is None:
            return Senseless(reason="no new version is coming up")
        if self.status.approved == candidate.release.revision:
            return Senseless(reason=f"version {candidate.release.version} is approved already")
        held = self.status.analysis.held if self.status.analysis is not None else None
        if held is None or held[0] != AWAITING_APPROVAL:
            return Senseless(
                reason=f"nothing awaits approval, the phase is {self.status.phase}; promote skips the analysis"
            )
        sentence = f"lets version {candidate.release.version} take all traffic"
        return Meaning(revision=candidate.release.revision, sentence=sentence)

    def undo(self) -> Meaning | Senseless:
        if self.status.candidate is not None and self.status.stable is not None:
            version = self.status.candidate.release.version
            return Senseless(
                reason=f"version {version} is coming up and no other is warm; abort takes its traffic back"
            )
        if self.status.previous is None or self.status.stable is None:
            return Senseless(reason="no previous version is warm; name the one that is meant in spec.model")
        stable, previous = self.status.stable.release, self.status.previous.release
        sentence = f"takes all traffic back to version {previous.version} at once, and rejects version {stable.version}"
        return Meaning(revision=stable.revision, sentence=sentence)

    def retry(self) -> Meaning | Senseless:
        release = self.rollout.release
        if all(rejected.revision != release.revision for rejected in self.status.rejected):
            return Senseless(reason=f"version {release.version}, which spec.model names, is not rejected")
        sentence = f"forgets that version {release.version} was rejected, and releases it again from the start"
        return Meaning(revision=release.revision, sentence=sentence)

    def restart(self) -> Meaning | Senseless:
        arms = [
            arm
            for arm in (self.status.stable, self.status.candidate)
            if arm is not None and self.status.weights.of(arm.slot) > 0
        ]
        if not arms:
            return Senseless(reason="no version serves yet")
        versions = " and ".join(f"version {arm.release.version} (slot {arm.slot})" for arm in arms)
        return Meaning(revision=None, sentence=f"replaces the pods of {versions} one after the other; no traffic moves")


_ASKED: Mapping[Verb, Callable[[_Asked], Meaning | Senseless]] = {
    "pause": _Asked.pause,
    "resume": _Asked.resume,
    "promote": _Asked.promote,
    "abort": _Asked.abort,
    "approve": _Asked.approve,
    "undo": _Asked.undo,
    "retry": _Asked.retry,
    "restart": _Asked.restart,
}


def meaning(verb: Verb, rollout: Rollout, status: Status) -> Meaning | Senseless:
    """What a verb would do to a rollout as it is: said to the person before, held against it by the operator after."""
    return _ASKED[verb](_Asked(rollout, status))
