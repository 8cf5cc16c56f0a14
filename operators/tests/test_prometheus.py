"""What Prometheus answers becomes a reading, or a reason that a person understands."""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from leeway_operators.core.evidence import CounterReading, Missing, Question
from leeway_operators.core.model import Release, Rollout
from leeway_operators.core.seen import Seen, SeenPod, SeenSlot
from leeway_operators.shell.prometheus import Prometheus
from leeway_operators.shell.source import Source

RELEASE = Release(version="2", revision="r2", storage_uri="oci://x", digest=None)
ROLLOUT = Rollout(name="flights", namespace="models", uid="u", generation=1, release=RELEASE, spec={})
QUESTION = Question(candidate="b", revisions={"a": "r1", "b": "r2"})
Labels = Mapping[str, str]


def pod(name: str, ip: str, revision: str, *, ready: bool = True) -> SeenPod:
    return SeenPod(name=name, ip=ip, revision=revision, ready=ready)


SEEN = Seen(
    slots={
        "a": SeenSlot(exists=True, pods=(pod("a-0", "10.0.0.1", "r1"), pod("a-1", "10.0.0.2", "r1", ready=False))),
        "b": SeenSlot(exists=True, pods=(pod("b-0", "10.0.0.3", "r2"), pod("b-old", "10.0.0.9", "r0"))),
    }
)


def series(name: str, values: list[tuple[float, str]], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "values": [[time, value] for time, value in values]}


def server(of: str, at: tuple[float, ...] = (90.0, 100.0), **labels: str) -> list[dict[str, Any]]:
    """A pod that answered 100 requests, 6 of them with errors, 4 of the others slow."""
    slot = of[0]
    place = {"pod": of, "leeway_dev_slot": slot, "leeway_dev_revision": "r1" if slot == "a" else "r2", "job": "m"}
    place |= labels

    def one(name: str, value: str, **own: str) -> dict[str, Any]:
        return series(name, [(time, value) for time in at], **place, **own)

    requests, buckets = "leeway_inference_requests_total", "leeway_inference_request_duration_seconds_bucket"
    return [
        *(
            one(requests, value, code=code, protocol="v2")
            for code, value in (("200", "94"), ("400", "1"), ("500", "5"))
        ),
        *(one(buckets, value, le=le) for le, value in (("0.05", "50"), ("0.1", "90"), ("+Inf", "94"))),
    ]


def endpoint(address: str, fine: str, failed: str, **labels: str) -> list[dict[str, Any]]:
    where = {"pod": "envoy-0", "envoy_cluster_name": "c", "envoy_endpoint_address": address} | labels
    return [
        series("envoy_cluster_endpoint_rq_success", [(97.0, fine)], **where),
        series("envoy_cluster_endpoint_rq_error", [(97.0, failed)], **where),
    ]


def success(result: list[dict[str, Any]], kind: str = "matrix", **more: Any) -> httpx.Response:
    data = {"resultType": kind, "result": result}
    return httpx.Response(200, text=json.dumps({"status": "success", "data": data, **more}))


def prometheus(answer: Callable[[str], httpx.Response], url: str = "http://prometheus:9090") -> Prometheus:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/api/v1/query")
        return answer(parse_qs(request.url.query.decode())["query"][0])

    return Prometheus(Source("Prometheus", url, transport=httpx.MockTransport(handle)))


def read(servers: list[dict[str, Any]], gateways: list[dict[str, Any]] | None = None) -> CounterReading | Missing:
    return prometheus(lambda query: success((gateways or []) if "envoy" in query else servers)).read(
        ROLLOUT, QUESTION, SEEN
    )


def taken(reading: CounterReading | Missing) -> CounterReading:
    assert isinstance(reading, CounterReading), reading
    return reading


def reason(reading: CounterReading | Missing) -> str:
    assert isinstance(reading, Missing), reading
    return reading.reason


def test_a_pods_counters_are_those_of_its_newest_scrape() -> None:
    reading = taken(read(server("a-0") + server("b-0", (81.0, 91.0, 101.0))))
    assert (reading.servers["a-0"].slot, reading.servers["b-0"].slot) == ("a", "b")
    newest = reading.servers["b-0"]
    assert (newest.time, newest.requests, newest.errors, newest.refused) == (101, 100, 6, 1)
    assert newest.buckets == {0.05: 50, 0.1: 90, math.inf: 94}
    assert reading.interval == 10


def test_pods_that_are_ready_and_of_the_compared_revisions_are_waited_for() -> None:
    assert taken(read(server("a-0"))).ready == {"a-0": "a", "b-0": "b"}


def test_pods_of_another_revision_count_for_nobody() -> None:
    reading = taken(read(server("a-0") + server("b-old", leeway_dev_revision="r1")))
    assert set(reading.servers) == {"a-0"}


def test_series_that_ended_with_a_process_before_are_left_out() -> None:
    before = series(
        "leeway_inference_requests_total", [(80.0, "9000")],
        pod="a-0", leeway_dev_slot="a", leeway_dev_revision="r1", job="m", code="200", version="unknown",
    )  # fmt: skip
    assert taken(read([before, *server("a-0")])).servers["a-0"].requests == 100


def test_a_pod_without_the_counter_is_not_one_without_requests() -> None:
    assert math.isnan(taken(read(server("a-0")[3:])).servers["a-0"].requests)


def test_what_is_no_number_stays_none() -> None:
    broken = server("a-0")
    broken[0]["values"][-1][1] = "NaN"
    assert math.isnan(taken(read(broken)).servers["a-0"].requests)


def test_the_gateways_counts_are_found_by_the_pods_addresses() -> None:
    ends = (
        endpoint("10.0.0.3:9081", "40", "2") + endpoint("10.0.0.1:8080", "90", "0") + endpoint("10.0.0.8:80", "1", "1")
    )
    reading = taken(read(server("a-0") + server("b-0"), ends))
    (ours,) = (one for name, one in reading.gateways.items() if "10.0.0.3" in name)
    assert (ours.slot, ours.requests, ours.failures, ours.time) == ("b", 42, 2, 97)
    assert {one.slot for one in reading.gateways.values()} == {"a", "b"}
    assert len(reading.gateways) == 2


def test_mirrored_requests_are_a_source_of_their_own() -> None:
    ends = endpoint("10.0.0.3:9081", "40", "2") + endpoint("10.0.0.3:9081", "7", "0", envoy_cluster_name="c-mirror-0")
    assert sorted(one.requests for one in taken(read(server("a-0"), ends)).gateways.values()) == [7, 42]


def test_the_questions_name_the_model_and_the_addresses() -> None:
    asked: list[str] = []

    def answer(query: str) -> httpx.Response:
        asked.append(query)
        return success([])

    prometheus(answer).read(ROLLOUT, QUESTION, SEEN)
    counters, gateway = asked
    assert 'namespace="models",leeway_dev_model="flights"' in counters
    assert 'leeway_dev_revision=~"r1|r2"' in counters
    pattern = re.search(r'envoy_endpoint_address=~"([^"]+)"', gateway)
    assert pattern is not None
    meant = pattern[1].replace("\\\\", "\\")
    assert re.fullmatch(meant, "10.0.0.3:9081")
    assert not re.fullmatch(meant, "10x0.0.3:9081")


def test_stables_hour_before_is_asked_for_once_it_is_wanted() -> None:
    def answer(query: str) -> httpx.Response:
        if "by (code)" in query:
            assert 'leeway_dev_slot=~"a"' in query
            assert "[1h]" in query
            return success(
                [{"metric": {"code": code}, "value": [0, n]} for code, n in (("200", "95"), ("503", "5"))], "vector"
            )
        if "by (le)" in query:
            return success(
                [{"metric": {"le": le}, "value": [0, n]} for le, n in (("0.1", "90"), ("+Inf", "95"))], "vector"
            )
        return success([])

    question = Question(candidate="b", revisions=QUESTION.revisions, history=True)
    history = taken(prometheus(answer).read(ROLLOUT, question, SEEN)).history
    assert history is not None
    assert (history.slot, history.requests, history.errors) == ("a", 100, 5)
    assert history.buckets == {0.1: 90, math.inf: 95}


# ---------------------------------------------------------------------------------------------- no reading


def test_a_pod_that_is_scraped_twice_would_count_double() -> None:
    doubled = server("a-0") + server("a-0", job="another")
    assert "pod a-0 is scraped more than once (another, m)" in reason(read(doubled))
    ends = endpoint("10.0.0.3:9081", "40", "2")
    assert "gateway pod envoy-0 is scraped more than once" in reason(read(server("a-0"), ends + ends))


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            httpx.Response(200, text="<html>", headers={"content-type": "text/html"}),
            "no JSON object (text/html): is the",
        ),
        (httpx.Response(200, text="[1]"), "no JSON object"),
        (httpx.Response(200, text='{"status":"error"}'), "not one of Prometheus' API"),
        (httpx.Response(400, text='{"status":"error","error":"parse error"}'), "answered 400: parse error"),
        (httpx.Response(404, text="not found"), "Prometheus at prometheus:9090 answered 404"),
        (success([], warnings=["one store is away"]), "may be partial: ['one store is away']"),
        (success([], "vector"), "not one of Prometheus' API"),
        (success([{"metric": {}, "values": []}]), "a series that is none"),
    ],
)
def test_what_is_no_answer_says_so(response: httpx.Response, expected: str) -> None:
    assert expected in reason(prometheus(lambda _: response).read(ROLLOUT, QUESTION, SEEN))


def test_a_refusal_is_not_asked_again_and_a_fault_is() -> None:
    asked: list[int] = []

    def answer(status: int) -> Callable[[str], httpx.Response]:
        def handle(_: str) -> httpx.Response:
            asked.append(status)
            return httpx.Response(status)

        return handle

    for status in (422, 503):
        assert f"answered {status}" in reason(prometheus(answer(status)).read(ROLLOUT, QUESTION, SEEN))
    assert (asked.count(422), asked.count(503)) == (1, 3)


def test_a_fault_that_passes_is_no_reason() -> None:
    answers = iter([httpx.Response(503), success(server("a-0")), success([])])
    assert set(taken(prometheus(lambda _: next(answers)).read(ROLLOUT, QUESTION, SEEN)).servers) == {"a-0"}


def test_nobody_there_is_said_without_the_credentials() -> None:
    def refuse(_: str) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    told = reason(prometheus(refuse, url="http://me:secret@prometheus:9090").read(ROLLOUT, QUESTION, SEEN))
    assert told == "Prometheus at prometheus:9090 cannot be reached (ConnectError)"


def test_without_a_url_nothing_is_asked() -> None:
    assert "--prometheus-url" in reason(Prometheus(None).read(ROLLOUT, QUESTION, SEEN))


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://prometheus", "http://"])
def test_what_is_no_url_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="the URL of Prometheus has to begin with"):
        Source("Prometheus", url)
