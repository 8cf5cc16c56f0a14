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


def test_without_a_word_everything_is_installed() -> None:
    assert profiles.choose("", None) is FULL
    assert profiles.choose("small", None) is SMALL


def test_a_cluster_that_is_up_keeps_its_profile() -> None:
    assert profiles.choose("", "small") is SMALL
    assert profiles.choose("small", "small") is SMALL


def test_a_cluster_is_not_turned_into_another() -> None:
    with pytest.raises(RuntimeError, match="PROFILE=small: the cluster that is up has full; make down first"):
        profiles.choose("small", "full")


def test_the_profile_of_a_load_is_not_one_of_a_cluster() -> None:
    with pytest.raises(ValueError, match="PROFILE=burst: expected one of full, small"):
        profiles.choose("burst", None)


def test_what_a_cluster_was_started_with_is_known_later(tmp_path: Path) -> None:
    profiles.remember(tmp_path, SMALL)
    assert profiles.remembered(tmp_path) == "small"


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
