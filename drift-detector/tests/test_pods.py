"""Files from pods that are slow, endless, packed or gone."""

import gzip
from collections.abc import Callable, Iterator

import httpx
import pytest

from leeway_drift.service.pods import SECONDS, NoAnswer, TooLong, get
from leeway_drift.service.profiles import Absent, Refused, http_fetch

URL = "http://flights-a-bundle.models.svc:8080/bundle/drift-profile.json"


def client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(answer))


def test_an_answer_has_to_come_in_time_however_steadily_it_drips():
    readings = iter(range(100))

    def drip() -> Iterator[bytes]:
        while True:
            yield b"x"

    with (
        client(lambda _: httpx.Response(200, content=drip())) as slow,
        pytest.raises(NoAnswer, match=f"not there after {SECONDS:g} s"),
    ):
        get(slow, URL, 10**9, lambda: float(next(readings)))


def test_what_is_packed_is_not_unpacked():
    bomb = gzip.compress(bytes(10**7))
    headers = {"content-encoding": "gzip"}
    with client(lambda _: httpx.Response(200, content=iter([bomb]), headers=headers)) as packed:
        assert get(packed, URL, len(bomb)) == bomb


def test_an_answer_over_its_limit_is_refused_and_one_that_is_gone_is_absent():
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if len(asked) == 1:
            return httpx.Response(200, content=iter([b"12345"]))
        if len(asked) == 2:
            return httpx.Response(302, headers={"location": "http://elsewhere/"})
        raise httpx.ConnectError("refused")

    with client(answer) as pods:
        fetch = http_fetch(pods)
        with pytest.raises(Refused, match="more than 4 bytes"):
            fetch("models", "flights-a", "drift-profile.json", 4)
        with pytest.raises(Absent, match="answers 302"):
            fetch("models", "flights-a", "drift-profile.json", 4)
        with pytest.raises(Absent, match="cannot be reached: refused"):
            fetch("models", "flights-a", "drift-profile.json", 4)
    assert asked == [URL] * 3


def test_the_limit_itself_is_within_it():
    with client(lambda _: httpx.Response(200, content=iter([b"12", b"34"]))) as pods:
        assert get(pods, URL, 4) == b"1234"
        with pytest.raises(TooLong):
            get(pods, URL, 3)
