"""leeway-verify injects and follows some faults itself: it is asked, read, and given the time to undo what it did."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from drill.alerts import verify
from drill.alerts.catalog import DRILLS
from drill.alerts.follow import DELIVERY
from drill.alerts.outcome import Outcome
from drill.alerts.world import Interrupted

DRILL = DRILLS["DetectorDown"]
ENDS = """
import json, sys
print("DetectorDown: fires after 400 s", file=sys.stderr)
sys.stdin.readline()
fault = {"alert": "DetectorDown", "promised": 425, "fired": 400, "told": 404, "resolved": 50, "gap": ""}
print(json.dumps({"gaps": 0, "findings": [], "faults": [fault]}))
"""
UNDOES = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.default_int_handler)
print("injected", file=sys.stderr, flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("undone", file=sys.stderr)
    sys.exit(2)
"""


@dataclass
class FakeWorld:
    """A cluster on which the message comes as soon as somebody waits.

    Attributes:
        interrupted: whether a person ends it once something was injected.
    """

    process: "subprocess.Popen[str] | None" = None
    interrupted: bool = False
    titles: list[str] = field(default_factory=lambda: ["[FIRING:1] DetectorDown"])
    lines: list[str] = field(default_factory=list)

    def now(self) -> float:
        return 0.0

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        assert self.process is not None
        assert self.process.stdin is not None
        if self.interrupted and "injected" in self.lines:
            raise Interrupted("ended")
        if len(self.titles) == 1:
            self.titles.append("[FIRING:1] DetectorDown")
        elif not self.process.stdin.closed and not self.interrupted:
            self.process.stdin.close()

    def firing(self) -> Sequence[Mapping[str, str]]:
        return []

    def messages(self) -> Sequence[Mapping[str, Any]]:
        rest = {"text": "", "color": "danger", "actions": []}
        return [{"by": "webhook", "body": {"attachments": [{"title": title, **rest}]}} for title in self.titles]

    def say(self, line: str) -> None:
        self.lines.append(line)


def followed(program: str, world: FakeWorld, shown: list[Outcome]) -> Outcome:
    def start(_: Sequence[str]) -> "subprocess.Popen[str]":
        world.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return world.process

    try:
        return verify.follow(DRILL, start, world, told=shown.append)
    finally:
        if world.process and world.process.stdin:
            world.process.stdin.close()


def test_what_it_followed_is_an_outcome_and_the_message_is_shown_while_the_fault_is_there() -> None:
    world, shown = FakeWorld(), list[Outcome]()
    outcome = followed(ENDS, world, shown)
    assert (outcome.promised, outcome.fired, outcome.seconds) == (425 + DELIVERY, 400, 404)
    assert (outcome.resolved_seconds, outcome.title, outcome.gap) == (50, "[FIRING:1] DetectorDown", "")
    assert [(one.title, one.seconds) for one in shown] == [("[FIRING:1] DetectorDown", None)]
    assert world.lines == ["DetectorDown: fires after 400 s"]


def test_it_undoes_its_fault_before_an_interruption_goes_on() -> None:
    world = FakeWorld(interrupted=True)
    with pytest.raises(Interrupted):
        followed(UNDOES, world, [])
    assert world.lines == ["injected", "undone"]


def test_what_it_could_not_do_is_told_in_its_words() -> None:
    with pytest.raises(verify.VerifyFailedError, match="--inject DetectorDown: the API server cannot be reached"):
        followed("import sys; sys.stderr.write('the API server cannot be reached'); sys.exit(2)", FakeWorld(), [])


def test_leeway_verify_is_asked_about_the_release_that_is_hit() -> None:
    own, platform = (verify.arguments(DRILLS[alert], "http://inbox") for alert in ("ModelNotLoaded", "DetectorDown"))
    assert {"--namespace=drill-unloaded", "--release=drill-unloaded", "--inject=ModelNotLoaded"} <= set(own)
    assert {"--namespace=leeway", "--release=leeway", "--inject=DetectorDown"} <= set(platform)
    assert {"--output=json", "--inbox-url=http://inbox"} <= set(own) & set(platform)


def test_what_leeway_verify_followed_is_an_outcome() -> None:
    fault = {"alert": "DetectorDown", "promised": 425.0, "fired": 400.0, "told": 404.0, "resolved": 50.0, "gap": ""}
    outcome = verify.read({"faults": [fault]}, DRILLS["DetectorDown"])
    assert (outcome.promised, outcome.seconds, outcome.resolved_seconds) == (425.0 + DELIVERY, 404.0, 50.0)
    with pytest.raises(verify.VerifyFailedError, match="followed 0 faults for TargetDown"):
        verify.read({"faults": [fault]}, DRILLS["TargetDown"])
