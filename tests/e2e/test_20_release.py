"""Releases while requests run: none of them fails, whichever way the change goes."""

from typing import Any

from story import MODEL, RELEASE, Answer, Story, eventually, traffic

from cluster import demo

_RELEASE_SECONDS = 180
_UNDO_SECONDS = 20


def _failed(answers: list[Answer]) -> list[str]:
    return [f"{answer.status} {answer.error}" for answer in answers if answer.status != 200]


def _settled(story: Story, version: str) -> bool:
    status = story.rollout().get("status", {})
    weights = status.get("weights", {})
    stable = status.get("stable", {})
    return stable.get("version") == version and weights.get(stable.get("slot")) == 100


def test_a_second_version_is_released_by_helm_upgrade_and_undone_by_helm_rollback_without_a_failed_request(
    story: Story, second: demo.ModelImage, samples: list[dict[str, Any]]
) -> None:
    bodies = [sample["v2"] for sample in samples]
    with traffic(story, bodies) as answers:
        eventually(lambda: len(answers) > 50, seconds=30, what="traffic before the release")
        story.upgrade(**second.values())
        eventually(lambda: _settled(story, second.version), seconds=_RELEASE_SECONDS, what="the release")
        eventually(lambda: answers[-1].version == second.version, seconds=10, what="answers of the new version")
        story.helm("rollback", RELEASE)
        eventually(lambda: _settled(story, demo.VERSION), seconds=_UNDO_SECONDS, what="the undo")
        eventually(lambda: answers[-1].version == demo.VERSION, seconds=10, what="answers of the old version")

    assert _failed(answers) == []
    assert {answer.version for answer in answers} == {demo.VERSION, second.version}


def test_an_upgrade_of_the_server_image_is_a_release_too(story: Story, samples: list[dict[str, Any]]) -> None:
    tag = story.values["images"]["onnxServer"]["tag"]
    story.tag_image(f"docker.io/leeway/onnx-server:{tag}", f"docker.io/leeway/onnx-server:{tag}-next")
    before = story.rollout()["status"]["stable"]
    changed = {
        **story.values,
        "images": {**story.values["images"], "onnxServer": {"tag": f"{tag}-next"}},
    }
    with traffic(story, [sample["v2"] for sample in samples], callers=2) as answers:
        story.upgrade_values(changed)
        eventually(
            lambda: story.rollout()["status"]["stable"]["slot"] != before["slot"],
            seconds=_RELEASE_SECONDS,
            what="the release of the server image",
        )
        story.helm("rollback", RELEASE)
        eventually(
            lambda: story.rollout()["status"]["stable"]["slot"] == before["slot"],
            seconds=_UNDO_SECONDS,
            what="the undo",
        )

    assert _failed(answers) == []
    assert story.stable_version() == before["version"]


def test_an_operator_killed_in_the_middle_of_a_release_changes_nothing_in_its_outcome(
    story: Story, samples: list[dict[str, Any]]
) -> None:
    third = demo.image(demo.train("1.2.0", ["model.params.C=0.1"]))
    story.load(third.archive)
    with traffic(story, [sample["v2"] for sample in samples], callers=2) as answers:
        story.upgrade(**third.values())
        eventually(
            lambda: story.rollout()["status"].get("candidate", {}).get("version") == third.version,
            seconds=60,
            what="the candidate",
        )
        for pod in story.operator_pods():
            story.kube.kubectl("delete", pod, "--namespace=leeway", "--grace-period=0", "--force")
        eventually(lambda: _settled(story, third.version), seconds=_RELEASE_SECONDS, what="the release")

    assert _failed(answers) == []
    story.upgrade()
    eventually(lambda: _settled(story, demo.VERSION), seconds=_RELEASE_SECONDS, what="the first version again")


def test_the_endpoint_serves_what_the_status_says(story: Story, samples: list[dict[str, Any]]) -> None:
    caller = story.caller()
    answer = caller.call(f"/v2/models/{MODEL}/infer", samples[0]["v2"])
    caller.close()

    assert answer.version == story.stable_version()
