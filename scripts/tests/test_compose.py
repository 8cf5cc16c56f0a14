"""What the trial of the compose file takes for a promise kept, and what it does not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cluster import paths
from compose import trial

COMPOSE = yaml.safe_load((paths.REPOSITORY / "docker-compose.yml").read_text())
INPUTS = '{"carrier": "AA", "hour": 17}'


def test_images_have_the_names_that_an_engine_gives_them() -> None:
    named = trial.names(COMPOSE, ["mysql", "prometheus"])
    assert named["mysql"].startswith("docker.io/library/mysql:")
    assert named["prometheus"].startswith("docker.io/prom/prometheus:")


def test_an_archive_gets_the_name_that_the_compose_file_has_for_it() -> None:
    calls: list[tuple[str, ...]] = []

    def podman(*arguments: str | Path) -> str:
        calls.append(tuple(map(str, arguments)))
        return "Loaded image: docker.io/leeway/onnx-server:0.2.0-abc\n" if arguments[0] == "load" else ""

    trial.load(podman, [(Path("a.tar"), "docker.io/leeway/onnx-server:0.2.0")], Path("policy.json"))

    assert calls[-1] == ("tag", "docker.io/leeway/onnx-server:0.2.0-abc", "docker.io/leeway/onnx-server:0.2.0")


def test_a_row_says_what_was_answered() -> None:
    rows = f'request-0\t{INPUTS}\t{{"label":1.0,"probabilities.0":0.1,"probabilities.1":0.8856391}}\n'
    assert trial.outputs(rows) == {"request-0": 0.885639}
    assert trial.outputs("") == {}


@pytest.mark.parametrize("inputs", ["NULL", '{"carrier": "UA"}'])
def test_a_row_without_what_was_sent_is_none(inputs: str) -> None:
    with pytest.raises(ValueError, match="inputs of request-0: expected"):
        trial.outputs(f'request-0\t{inputs}\t{{"probabilities.1":0.9}}\n')


def answer(*healths: str) -> str:
    targets = [{"scrapeUrl": f"http://{number}:8082", "health": health} for number, health in enumerate(healths)]
    return json.dumps({"data": {"activeTargets": targets}})


def test_a_target_that_was_not_scraped_yet_is_not_up() -> None:
    assert trial.targets(answer("up", "unknown")) == {"http://0:8082": True, "http://1:8082": False}


def test_a_prometheus_without_targets_watches_nothing() -> None:
    with pytest.raises(ValueError, match="Prometheus has no targets"):
        trial.targets(answer())


@pytest.fixture
def broken() -> tuple[list[str], Callable[..., str]]:
    """A compose that fails to come up, and what it was asked."""
    asked: list[str] = []

    def compose(*arguments: str | Path) -> str:
        asked.append(" ".join(map(str, arguments)))
        if arguments[0] == "up":
            raise RuntimeError("no such image")
        return ""

    return asked, compose


def test_nothing_is_left_of_what_did_not_come_up(broken: tuple[list[str], Callable[..., str]]) -> None:
    asked, compose = broken
    with pytest.raises(RuntimeError, match="no such image"):
        trial.run(lambda *_: "", compose, ["model"], say=lambda _: None)
    assert asked == ["up --detach --no-build model", "down --volumes"]
