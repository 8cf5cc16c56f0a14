import asyncio
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from leeway_drift.service.models import ModelStatus
from leeway_drift.service.pages import add_pages
from tests.pages_document import HOSTILE, Documents, status_document


def get(path: str, *documents: Mapping[str, Any]) -> httpx.Response:
    """What the pages of these documents answer."""
    app = FastAPI()
    add_pages(app, Documents(*documents))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://detector") as client:
            return await client.get(path)

    return asyncio.run(ask())


class Elements(HTMLParser):
    """Tags and attribute names of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_the_document_of_these_tests_is_what_the_api_answers():
    document = status_document()

    assert ModelStatus.model_validate(document).model_dump(mode="json") == document


def test_the_index_leads_to_every_model():
    answer = get("/ui", status_document())

    assert 'href="/ui/leeway/flights"' in answer.text


def test_an_index_without_models_says_what_that_may_mean():
    assert "capture does not reach this detector" in get("/ui").text


def test_a_page_tells_verdict_ratio_and_reason_of_every_detector():
    page = get("/ui/leeway/flights", status_document()).text

    for told in ("alarm", "2.35", "temp has a PSI of 0.9", "insufficient", "12 labels, 500 are needed", "98.7%"):
        assert told in page


def test_a_page_says_when_nothing_is_known_of_harm():
    assert "whether a change hurts cannot be said" in get("/ui/leeway/flights", status_document()).text


def test_performance_is_told_with_the_labels_it_rests_on():
    document = status_document()
    document["versions"][0]["performance"] = {
        "version": "1.0.0", "task": None, "predictions": 2000, "labels": 1800, "label_coverage": 0.9,
        "label_delay_seconds": None, "since": None, "metrics": {"auc": 0.9012, "calibration_gap": -0.0312},
        "reason": None,
    }  # fmt: skip

    page = get("/ui/leeway/flights", document).text

    for told in ("1800 labels for 2000 predictions", "90.0%", "0.901", "calibration gap", "-0.0312"):
        assert told in page


def test_too_few_labels_are_no_good_news():
    document = status_document()
    document["versions"][0]["performance"] = {
        "version": "1.0.0", "task": None, "predictions": 20, "labels": 2, "label_coverage": 0.1,
        "label_delay_seconds": None, "since": None, "metrics": {}, "reason": "2 labels, expected at least 50",
    }  # fmt: skip

    assert "2 labels, expected at least 50" in get("/ui/leeway/flights", document).text


def test_a_refused_profile_is_told_with_its_reason():
    document = status_document()
    document["versions"][0]["profile"] |= {"state": "refused", "reason": "its hash is not the manifest's"}

    page = get("/ui/leeway/flights", document).text

    assert "refused" in page
    assert "its hash is not the manifest" in page


def test_an_uncalibrated_profile_is_told():
    document = status_document()
    document["versions"][0]["profile"]["calibrated"] = False

    assert "Uncalibrated" in get("/ui/leeway/flights", document).text


def test_a_version_that_is_new_has_a_page_too():
    document = status_document()
    document["versions"][0] |= {
        "detectors": [],
        "history": [],
        "distributions": None,
        "coverage": None,
        "open_window": None,
    }

    assert "No detector has judged a window yet" in get("/ui/leeway/flights", document).text


def test_an_unknown_model_is_not_found():
    answer = get("/ui/leeway/trains", status_document())

    assert answer.status_code == 404


def test_names_from_requests_never_become_markup():
    page = get("/ui/leeway/flights", status_document(HOSTILE, HOSTILE)).text

    elements = Elements(page)
    assert not elements.tags & {"script", "img"}
    assert not {name for name in elements.attributes if name.startswith("on") or name in {"src", "style"}}


@pytest.mark.parametrize("path", ["/ui", "/ui/leeway/flights"])
def test_the_browser_is_told_to_load_and_run_nothing(path: str):
    policy = get(path, status_document()).headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
