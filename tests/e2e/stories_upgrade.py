"""From chart 0.1.0 to today's and back, while requests run; `make upgrade-test` tells it, `make e2e` does not.

It installs Leeway anew, since only so is the cluster one that today's chart was never on.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from story import MODEL, NAMESPACE, RELEASE, Answer, Story, eventually, traffic

from cluster import demo, paths, up

_OLDER = paths.REPOSITORY / "tests/chart/fixtures/leeway-0.1.0.tgz"
_KIND = "modelrollouts.leeway.dev"
_SERVE_SECONDS = 240
_RELEASE_SECONDS = 180
_UNDO_SECONDS = 20


def _failed(answers: list[Answer]) -> list[str]:
    return [f"{answer.status} {answer.error}" for answer in answers if answer.status != 200]


def _status(story: Story) -> dict[str, Any]:
    found: dict[str, Any] = story.rollout().get("status", {})
    return found


def _runtime(story: Story) -> str:
    return str(story.rollout()["spec"]["runtime"])


def _settled(story: Story, version: str, *, slot: str = "") -> bool:
    """Whether all traffic goes to that version, in that slot if one is named."""
    status = _status(story)
    stable = status.get("stable", {})
    serving = stable.get("slot")
    return (
        stable.get("version") == version
        and serving == (slot or serving)
        and status.get("weights", {}).get(serving) == 100
    )


def _history(story: Story) -> dict[int, dict[str, Any]]:
    """How rollouts have ended, by their numbers."""
    return {entry["number"]: entry for entry in _status(story).get("history", [])}


def _knows_runs(story: Story) -> bool:
    """Whether the kind has a field of a status that 0.1.0 does not know."""
    definition = yaml.safe_load(story.kube.kubectl("get", "crd", _KIND, "--output=yaml"))
    (version,) = definition["spec"]["versions"]
    analysis = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["analysis"]
    return "runs" in analysis["properties"]


@pytest.fixture(scope="module")
def older(story: Story, samples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Have 0.1.0 in the place of what `make up` installed, which is back in the end; yields the values.

    Images of 0.1.0 were not published: today's run under both charts, or those whose tags the file IMAGES_BEFORE has.
    """
    values = dict(story.values)
    if given := os.environ.get("IMAGES_BEFORE"):
        values["images"] = yaml.safe_load(Path(given).read_text(encoding="utf-8"))
    pods = ("get", "pods", f"--namespace={NAMESPACE}", "--output=name")
    story.helm("uninstall", RELEASE, "--wait")
    eventually(lambda: not story.kube.kubectl(*pods), seconds=180, what="an empty namespace")
    story.kube.kubectl("delete", "crd", _KIND, "--wait")
    try:
        story.helm("install", RELEASE, _OLDER, "--values", "-", stdin=yaml.safe_dump(values))
        eventually(lambda: story.ready(MODEL), seconds=_SERVE_SECONDS, what="the model under 0.1.0")
        story.endpoint = up.endpoint(story.cluster)  # of a Gateway that is new
        eventually(lambda: _answers(story, samples[0]["v2"]), seconds=60, what="an answer")
        yield values
    finally:
        story.upgrade()


def _answers(story: Story, body: dict[str, Any]) -> bool:
    caller = story.caller()
    try:
        return caller.call(f"/v2/models/{MODEL}/infer", body).status == 200
    finally:
        caller.close()


def _go_on(answers: list[Answer]) -> None:
    """Wait for answers to requests that are sent from now on."""
    enough = len(answers) + 50
    eventually(lambda: len(answers) >= enough, seconds=30, what="fifty answers")


def test_from_0_1_0_and_back_no_request_fails_and_no_status_is_lost(
    story: Story, older: dict[str, Any], second: demo.ModelImage, samples: list[dict[str, Any]]
) -> None:
    values = json.loads(json.dumps(older))
    values["models"][MODEL]["model"] |= second.values()
    with traffic(story, [sample["v2"] for sample in samples], callers=2) as answers:
        _go_on(answers)
        story.helm("upgrade", RELEASE, _OLDER, "--values", "-", stdin=yaml.safe_dump(values))
        eventually(lambda: _settled(story, second.version), seconds=_RELEASE_SECONDS, what="a release under 0.1.0")
        ended, runtime, slot = _history(story), _runtime(story), _status(story)["stable"]["slot"]
        assert ended
        assert not _knows_runs(story)

        values["images"] = story.values["images"]
        story.helm("upgrade", RELEASE, up.CHART, "--values", "-", stdin=yaml.safe_dump(values))
        other = {"a": "b", "b": "a"}[slot]
        eventually(lambda: _settled(story, second.version, slot=other), seconds=_RELEASE_SECONDS, what="the upgrade")
        _go_on(answers)
        assert _runtime(story) != runtime
        assert _knows_runs(story)
        assert ended.items() <= _history(story).items()

        story.helm("rollback", RELEASE)
        eventually(lambda: _settled(story, second.version, slot=slot), seconds=_UNDO_SECONDS, what="the way back")
        _go_on(answers)
        assert _runtime(story) == runtime
        assert _knows_runs(story), "Helm takes nothing back that a hook has applied"
        assert ended.items() <= _history(story).items()

    assert _failed(answers) == []
    assert {answer.version for answer in answers} == {demo.VERSION, second.version}
