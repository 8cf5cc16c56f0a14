"""A machine that lacks something is told all of it, and what to do, before the long work starts."""

import pytest

from cluster.prerequisites import problems


def test_a_machine_with_everything_is_fine() -> None:
    assert problems(user=0, machine="x86_64", go="go1.26.8") == []
    assert problems(user=0, machine="x86_64", go="go1.26") == []


def test_everything_that_is_missing_is_named_at_once() -> None:
    found = problems(user=1000, machine="aarch64", go=None)

    assert len(found) == 3
    assert "sudo" in found[0]
    assert "aarch64" in found[1]
    assert "go1.26" in found[2]


@pytest.mark.parametrize("go", ["go1.25.9", "go1.27.1", "go1.260"])
def test_another_go_is_named_with_the_one_expected(go: str) -> None:
    assert problems(user=0, machine="x86_64", go=go) == [
        f"Go on PATH is {go}; expected go1.26, which this Kubernetes is made with"
    ]
