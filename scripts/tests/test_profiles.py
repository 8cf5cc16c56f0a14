"""PROFILE: what is installed, and that a cluster keeps what it was started with."""

from pathlib import Path

import pytest
import yaml

from cluster import demo, profiles
from cluster.profiles import FULL, SMALL, Profile
from cluster.up import CHART, values
from images.build import IMAGES, Built

MODEL = demo.ModelImage("oci://docker.io/leeway/model-flights:1", "1.0.0", "sha256:0", Path("model.tar"))


def installed(profile: Profile) -> dict[str, object]:
    built = {name: Built(f"docker.io/leeway/{name}:0-abc", Path(f"{name}.tar"), 1) for name in profile.images}
    return values(built, MODEL, profile)


def test_the_profiles_are_those_that_can_be_named() -> None:
    assert profiles.CHOICE.choose("", None) is FULL
    assert profiles.CHOICE.choose("small", None) is SMALL
    with pytest.raises(ValueError, match="PROFILE=burst: expected one of full, small"):  # as a load's is called
        profiles.CHOICE.choose("burst", None)


@pytest.mark.parametrize("profile", [FULL, SMALL])
def test_the_chart_is_told_the_tags_of_the_images_that_the_profile_has(profile: Profile) -> None:
    known = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["images"]
    told = installed(profile)["images"]
    assert told == {key: {"tag": "0-abc"} for key in profile.images.values()}
    for name, key in profile.images.items():
        assert known[key]["repository"] == f"leeway/{name}"
        assert name in IMAGES


@pytest.mark.parametrize(("profile", "detector"), [(FULL, "driftDetector"), (SMALL, "driftDetectorNative")])
def test_the_detector_that_is_loaded_is_the_one_that_runs(profile: Profile, detector: str) -> None:
    backend = {"driftDetector": "alibi", "driftDetectorNative": "native"}[detector]
    default = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["driftDetector"]
    told = installed(profile).get("driftDetector", {})
    assert {**default, **told}["backend"] == backend
    assert detector in profile.images.values()
