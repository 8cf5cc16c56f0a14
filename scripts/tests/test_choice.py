"""What a cluster is started with, and that it keeps that."""

from pathlib import Path

import pytest

from cluster.choice import Choice

CHOICE = Choice("SIZE", {"full": 1, "small": 2})


@pytest.mark.parametrize(
    ("asked", "standing", "expected"),
    [("", None, 1), ("small", None, 2), ("", "small", 2), ("small", "small", 2)],
    ids=["nothing said", "said", "what the cluster has", "said of a cluster that has it"],
)
def test_it_is_the_one_asked_for_or_what_the_cluster_has(asked: str, standing: str | None, expected: int) -> None:
    assert CHOICE.choose(asked, standing) == expected


def test_one_that_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="SIZE=huge: expected one of full, small"):
        CHOICE.choose("huge", None)


def test_a_cluster_is_not_turned_into_another() -> None:
    with pytest.raises(RuntimeError, match="SIZE=small: the cluster that is up has full; make down first"):
        CHOICE.choose("small", "full")


def test_what_a_cluster_was_started_with_is_known_later(tmp_path: Path) -> None:
    assert CHOICE.remembered(tmp_path) == "full"
    CHOICE.remember(tmp_path, "small")
    assert CHOICE.remembered(tmp_path) == "small"
