"""A replica as a service: what it answers itself, what it lets the evaluating one answer, and what it refuses."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import pytest
import yaml
from fastapi import FastAPI

from leeway_drift.service.forwarding import DRILLS, FORWARDED, MARK, Forwarding, http_ask
from leeway_drift.service.sharing import NOBODY
from leeway_drift.service.views import Sharing
from leeway_drift.service.wiring import Replica, StartError
from tests.watching import Clock, headers, request, serving, settled

METRICS = Path(__file__).parents[2] / "schemas" / "metrics.yaml"
ELSEWHERE = Sharing(evaluates=False, evaluator="http://10.0.0.7:8080")
NOWHERE = Replica("redis://127.0.0.1:1/0", "http://10.0.0.8:8080")
STATUS = "/v1/status/models/flights/1.0.0"


def ask(
    sharing: Sharing,
    others: Callable[[str], tuple[int, str, bytes]],
    method: str,
    path: str,
    sent: Mapping[str, str] | None = None,
) -> httpx.Response:
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    def here(path: str) -> str:
        return f"here: {path}"

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(Forwarding(app, lambda: sharing, others))
        async with httpx.AsyncClient(transport=transport, base_url="http://asked") as client:
            return await client.request(method, path, headers=dict(sent or {}))

    return asyncio.run(answer())


def there(url: str) -> tuple[int, str, bytes]:
    return 404, "text/plain", f"there: {url}".encode()


def silent(url: str) -> tuple[int, str, bytes]:
    raise OSError(f"{url}: timed out")


@pytest.mark.parametrize("path", FORWARDED)
def test_what_the_evaluator_knows_is_answered_by_it_as_it_answers(path: str):
    answer = ask(ELSEWHERE, there, "GET", f"{path}/m%20x/flights?cursor=e%3A7&candidate=a")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/plain"
    assert answer.text == f"there: http://10.0.0.7:8080{path}/m%20x/flights?cursor=e%3A7&candidate=a"


def test_the_evaluator_answers_itself_and_every_replica_takes_events_and_labels():
    assert ask(Sharing(), silent, "GET", "/v1/status/m").json() == "here: v1/status/m"
    assert ask(ELSEWHERE, silent, "POST", "/").json() == "here: "
    assert ask(ELSEWHERE, silent, "POST", "/v1/feedback").json() == "here: v1/feedback"


@pytest.mark.parametrize(
    ("sharing", "sent", "expected"),
    [
        (ELSEWHERE, {}, "http://10.0.0.7:8080/v1/compare/m/f: timed out"),
        (ELSEWHERE, {MARK: "1"}, "another replica evaluates by now"),  # two replicas that took each other for it
        (Sharing(evaluates=False, reason=NOBODY), {}, NOBODY),
    ],
)
def test_what_nobody_can_answer_now_is_asked_for_again(sharing: Sharing, sent: dict[str, str], expected: str):
    answer = ask(sharing, silent, "GET", "/v1/compare/m/f", sent)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert expected in answer.json()["error"]


def test_a_drill_is_refused_since_its_requests_would_reach_all_replicas():
    answer = ask(Sharing(), silent, "POST", DRILLS)
    assert answer.status_code == 409
    assert "one replica" in answer.json()["error"]


def test_another_replica_is_asked_by_http_with_the_mark():
    def handle(got: httpx.Request) -> httpx.Response:
        if got.url.host == "gone":
            raise httpx.ConnectError("refused")
        return httpx.Response(200, text=got.headers[MARK], headers={"content-type": "text/html"})

    other = http_ask(httpx.Client(transport=httpx.MockTransport(handle)))
    assert other("http://there/ui") == (200, "text/html", b"1")
    with pytest.raises(OSError, match="refused"):
        other("http://gone/ui")


def test_without_shared_counts_events_are_taken_and_the_status_says_that_nothing_is_judged(tmp_path: Path):
    with serving(tmp_path, Clock(), replica=NOWHERE) as (service, to):
        to.post("/", headers=headers(1), content=request([1.0]))
        settled(service)
        exposed = {sample.name for family in service.registry.collect() for sample in family.samples}
        status = to.get(STATUS).json()
        compared = to.get("/v1/compare/models/flights", params={"candidate": "a"})
    assert status["events"]["request"]["accepted"] == 1
    assert {said["verdict"] for said in status["detectors"]} == {"insufficient"}
    assert compared.status_code == 503
    listed = {metric["name"] for metric in yaml.safe_load(METRICS.read_text())["metrics"]}
    sharing = {"leeway_drift_evaluating", "leeway_drift_shared_up", "leeway_drift_shared_parts_total"}
    assert sharing <= exposed
    assert sharing <= listed
    assert "leeway_drift_detected" not in exposed  # only the evaluating replica may say that all is well


@pytest.mark.parametrize(
    ("replica", "config", "expected"),
    [
        (NOWHERE, {"backend": "alibi"}, "backend alibi: expected native"),
        (Replica("postgresql://wrong", "http://10.0.0.8:8080"), {}, "the shared counts: .*redis://"),
    ],
)
def test_what_cannot_be_shared_is_said_at_the_start(
    tmp_path: Path, replica: Replica, config: dict[str, str], expected: str
):
    with pytest.raises(StartError, match=expected), serving(tmp_path, Clock(), replica=replica, **config):
        pass
