import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.labelling import MANIFEST, Logged, logged, prediction

from leeway_drift.service.feedback import add_feedback


def call(under_test: Logged, method: str, path: str, **request: Any) -> httpx.Response:
    app = FastAPI()
    add_feedback(app, under_test.log)

    async def story() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://detector") as client:
            return await client.request(method, path, **request)

    return asyncio.run(story())


@pytest.fixture
def send(tmp_path: Path):
    with logged(tmp_path) as under_test:

        def post(**request: Any) -> httpx.Response:
            return call(under_test, "POST", "/v1/feedback", **request)

        post.under_test = under_test
        yield post


def test_a_label_reaches_its_prediction_by_each_of_its_keys(send: Callable):
    send.under_test.keep(prediction("e1", response_id="my-own-id"))
    for key in ("request-e1", "my-own-id", "e1"):
        answer = send(json={"id": key, "model": "flights", "label": 1})
        assert (answer.status_code, answer.json()["result"]) == (200, "accepted")
        assert answer.json()["versions"] == ["1.0.0"]
    assert [loss[:4] for loss in send.under_test.losses] == [("models", "flights", "a", "1.0.0")]
    assert send.under_test.losses[0][4] == pytest.approx(1.3862943, abs=1e-6)  # -ln 0.25
