"""What a shadow step comes to behind a gateway that cannot mirror requests.

`make e2e-traefik` names this file. It is not called like a test, so that the suite of `make test`, whose gateway can,
does not take it up.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from releases import FAST, Cast, Part, condition, failed, serves_alone
from story import NAMESPACE, Story

from cluster import demo
from rollouts.variants import GOOD_VERSION, Variants

_PARTS = (Part(name="shadowed", strategy={"steps": [{"shadow": True, "hold": "4s"}, {"weight": 50}]}, rate=10),)


@pytest.fixture(scope="module")
def cast(story: Story, variants: Variants, samples: list[dict[str, Any]]) -> Iterator[Cast]:
    """One model under load whose new version is to be mirrored first."""
    with story.installed(FAST), Cast(story, variants, samples, _PARTS) as cast:
        cast.release()
        yield cast


def test_the_gateway_is_never_asked_to_mirror_and_the_release_says_what_to_change(story: Story, cast: Cast) -> None:
    model = cast["shadowed"]

    status = model.in_phase("Failed")
    degraded = condition(status, "Degraded")
    assert degraded["reason"] == "MirrorUnsupported"
    assert "take the shadow step out" in degraded["message"]
    assert condition(status, "Ready")["status"] == "True"
    assert serves_alone(status, demo.VERSION)
    assert "requestMirror" not in json.dumps(story.get("httproute", "shadowed"))
    assert failed(model.traffic.failures()) == []


def test_without_the_shadow_step_the_same_release_is_promoted(story: Story, cast: Cast) -> None:
    model = cast["shadowed"]
    patch = json.dumps({"spec": {"strategy": {"steps": [{"weight": 50}]}}})

    story.kube.kubectl("patch", "mro", "shadowed", f"--namespace={NAMESPACE}", "--type=merge", f"--patch={patch}")
    ended = model.ended()

    assert (ended["outcome"], ended["version"]) == ("Promoted", GOOD_VERSION)
    assert serves_alone(model.status(), GOOD_VERSION)
    assert failed(model.traffic.failures()) == []
