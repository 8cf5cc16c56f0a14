"""What the drift detector answers becomes a reading, or a reason."""

import json
from typing import Any

import httpx
import pytest

from leeway_operators.core.evidence import DetectorReading, Missing, Question
from leeway_operators.core.model import Release, Rollout
from leeway_operators.shell.detector import Detector
from leeway_operators.shell.source import Source

RELEASE = Release(version="2", revision="r2", storage_uri="oci://x", digest=None)
ROLLOUT = Rollout(name="flights", namespace="models", uid="u", generation=1, release=RELEASE, spec={})
QUESTION = Question(candidate="b", revisions={}, cursor="e1:7")
ANSWER = {"epoch": "e1", "cursor": "e1:9", "coverage": {"candidate": 0.9, "stable": None}, "ticks": [{"start": "…"}]}


def read(response: httpx.Response, asked: list[httpx.Request] | None = None) -> DetectorReading | Missing:
    def handle(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return response

    return Detector(Source("the drift detector", "http://drift", transport=httpx.MockTransport(handle))).read(
        ROLLOUT, QUESTION
    )


def test_the_answer_is_taken_as_it_is_without_what_is_not_known() -> None:
    asked: list[httpx.Request] = []
    reading = read(httpx.Response(200, json=ANSWER), asked)
    assert reading == DetectorReading(epoch="e1", cursor="e1:9", coverage={"candidate": 0.9}, ticks=({"start": "…"},))
    assert str(asked[0].url) == "http://drift/v1/compare/models/flights?candidate=b&cursor=e1%3A7"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"epoch": None}, "epoch is no short text"),
        ({"cursor": "x" * 101}, "cursor is no short text"),
        ({"coverage": {"candidate": "all"}}, "coverage is no share"),
        ({"coverage": {"candidate": float("nan")}}, "coverage is no share"),
        ({"ticks": {}}, "no coverage and no ticks"),
        ({"ticks": [{}] * 1001}, "no coverage and no ticks"),
        ({"ticks": [3]}, "a tick that is no object"),
    ],
)
def test_another_answer_is_no_reading(change: dict[str, Any], expected: str) -> None:
    reading = read(httpx.Response(200, text=json.dumps(ANSWER | change)))
    assert isinstance(reading, Missing)
    assert expected in reading.reason


def test_the_detectors_own_words_are_kept() -> None:
    error = {"error": "no closed tick of model 'flights' in namespace 'models'"}
    reading = read(httpx.Response(404, json=error))
    assert reading == Missing(reason=f"the drift detector at drift answered 404: {error['error']}")


def test_without_a_url_nothing_is_asked() -> None:
    reading = Detector(None).read(ROLLOUT, QUESTION)
    assert isinstance(reading, Missing)
    assert "--detector-url" in reading.reason
