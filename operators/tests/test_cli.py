"""What people read."""

import json

import pytest

from leeway_operators.cli.main import arguments
from leeway_operators.cli.table import row, table
from leeway_operators.core.model import Word
from tests.world import NAME, NAMESPACE, World, spec


def test_a_rollout_that_serves() -> None:
    world = World()
    world.release(spec("1"))
    world.settle()
    shown = table([row(world.body)], namespaces=False).splitlines()
    assert shown[0].split() == ["MODEL", "STABLE", "SLOT", "CANDIDATE", "WEIGHTS", "PHASE", "READY", "MESSAGE"]
    assert shown[1].split()[:3] == [NAME, "1", "a"]
    assert shown[1].endswith("Stable   True    version 1 serves from slot a")


def test_what_is_wrong_is_the_message() -> None:
    world = World()
    world.images[spec("2")["model"]["storageUri"]] = Word(version="3")
    for version in ("1", "2"):
        world.release(spec(version))
        world.settle()
    cells = row(world.body)
    assert cells[:8] == (NAMESPACE, NAME, "1", "a", "2", "a=100 b=0", "Failed", "True")
    assert "serves version 3, 2 was released" in cells[8]


def test_what_holds_a_release_back_is_the_message() -> None:
    world = World()
    world.release(spec("1"))
    world.settle()
    world.release(spec("2") | {"paused": True})
    world.settle()
    assert row(world.body)[8] == "spec.paused holds back version 2; set it to false to go on"


def test_a_stable_version_that_does_not_serve_is_the_message() -> None:
    world = World(gateway_up=False)
    world.release(spec("1"))
    world.settle()
    message = "no gateway has accepted HTTPRoute flights yet; is Gateway leeway/leeway up?"
    assert row(world.body)[7:] == ("False", message)


def test_a_rollout_that_nobody_has_seen_yet() -> None:
    world = World()
    world.release(spec("1"))
    assert row(json.loads(json.dumps(world.body)))[6:] == ("Pending", "Unknown", "the operator has not seen it yet")


def test_a_namespace_and_all_namespaces_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments().parse_args(["status", "-n", "x", "-A"])
    assert "not allowed with" in capsys.readouterr().err
