"""The HTTP API of labels: taking them, and what they say about versions."""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import AwareDatetime

from leeway_drift.labels.feedback import Feedback, UnreadableFeedback, UnsupportedMediaType, read_feedback
from leeway_drift.labels.joins import Decision, Outcome
from leeway_drift.labels.threshold import Costs, propose
from leeway_drift.reading.events import Stream
from leeway_drift.service.bodies import Bodies
from leeway_drift.service.feedback_models import (
    LabelRefusal,
    LabelResult,
    LabelResults,
    PerformanceAnswer,
    ThresholdAnswer,
    VersionPerformance,
)
from leeway_drift.service.predictions import PredictionLog
from leeway_drift.service.store.database import StoreUnavailable
from leeway_drift.service.store.reading import Selection, records
from leeway_drift.service.store.tables import to_microseconds
from leeway_drift.statistics.performance import Task

logger = logging.getLogger(__name__)

MAX_BODY = 4 * 2**20
BODIES_BYTES = 16 * 2**20
"""Of all requests that are being received."""
WAITING_REQUESTS = 32
WORKERS = 2
"""Threads that take labels: their own, so that a flood of labels leaves those that answer the operator alone."""
_STATUS = {
    Outcome.ACCEPTED: 200,
    Outcome.CORRECTED: 200,
    Outcome.PENDING: 202,
    Outcome.UNKNOWN: 404,
    Outcome.AMBIGUOUS: 409,
    Outcome.INVALID: 422,
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "example": {"id": "5b1a9d62-0f0e-4a52-8f1b-7d1d2f0c6c22", "model": "flights", "row": 0, "label": 1}
            },
            "application/x-ndjson": {"example": '{"id": "5b1a9d62", "model": "flights", "label": 1}\n'},
            "text/csv": {"example": "id,model,row,label\n5b1a9d62,flights,0,1\n"},
        },
    }
}

Time = Annotated[AwareDatetime | None, Query(description="RFC 3339 with its offset, of the predictions.")]


def add_feedback(app: FastAPI, log: PredictionLog) -> None:
    """Add the endpoints of labels to the detector's API."""

    @app.exception_handler(StoreUnavailable)
    async def unavailable(_: Request, error: StoreUnavailable) -> JSONResponse:
        # Its message names hosts and users, and this path may be open to the world.
        logger.warning("the store is not available", extra={"error": str(error)})
        message = "the prediction store is not available; try again later"
        return JSONResponse({"error": message}, status_code=503, headers={"Retry-After": "10"})

    router = APIRouter()
    _add_labels(router, log)
    _add_performance(router, log)
    _add_threshold(router, log)
    _add_predictions(router, log)
    app.include_router(router)


def _add_labels(router: APIRouter, log: PredictionLog) -> None:
    bodies = Bodies(BODIES_BYTES)
    workers = CapacityLimiter(WORKERS)
    waiting = 0
    refusals: dict[int | str, dict[str, Any]] = {status: {"model": LabelRefusal} for status in (404, 409, 422)}

    @router.post(
        "/v1/feedback",
        summary="Take what turned out to be true",
        response_model=LabelResult | LabelResults,
        responses={202: {"model": LabelResult, "description": "It waits for its prediction."}, **refusals},
        openapi_extra=_BODY,
    )
    async def feedback(request: Request) -> JSONResponse:
        """One label (a JSON object), or many: a JSON list, NDJSON or CSV.

        A list is answered item by item with 200; a single label with its own status: 200 taken, 202 waiting for its
        prediction, 404 unknown, 409 several predictions fit, 422 cannot be true. At most 10,000 labels and 4 MiB.
        After a 503 some may be taken already: send all of it again, that does no harm.
        """
        nonlocal waiting
        if waiting >= WAITING_REQUESTS:
            raise HTTPException(
                503, "too many requests with labels at once; send it again", headers={"Retry-After": "1"}
            )
        waiting += 1
        try:
            body = await bodies.read(request, MAX_BODY)
            return await to_thread.run_sync(take, body, request.headers.get("content-type", ""), limiter=workers)
        finally:
            waiting -= 1

    def take(body: bytes, content_type: str) -> JSONResponse:
        try:
            given = read_feedback(body, content_type, log.clock())
        except UnsupportedMediaType as error:
            raise HTTPException(415, str(error)) from error
        except UnreadableFeedback as error:
            raise HTTPException(400, str(error)) from error
        return _answer(given, log.feedback(given.items))


def _answer(given: Feedback, decisions: list[Decision]) -> JSONResponse:
    results = [LabelResult.of(decision) for decision in decisions]
    if given.single:
        [result] = results
        status = _STATUS[result.result]
        document = result.model_dump(mode="json")
        if status >= 400:  # noqa: PLR2004 - an error has the shape of errors, and the result beside it
            document = {"error": result.detail, **document}
        return JSONResponse(document, status_code=status)
    counted = Counter(result.result for result in results)
    counts = {outcome: counted[outcome] for outcome in Outcome}
    return JSONResponse(LabelResults(counts=counts, results=results).model_dump(mode="json"))


def _add_performance(router: APIRouter, log: PredictionLog) -> None:
    @router.get("/v1/performance/{namespace}/{model}", summary="How well each version predicts, by its labels")
    def performance(
        namespace: str,
        model: str,
        age: Annotated[float | None, Query(ge=0, le=10 * 365 * 86400, description="Seconds.")] = None,
        since: Time = None,
        until: Time = None,
    ) -> PerformanceAnswer:
        """Versions compared over cohorts of equal age.

        Without ``age`` it is that by which nine of ten labels of the model had come.
        """
        measured = log.scores.measure(namespace, model, age=age, since=since, until=until)
        if not measured:
            raise HTTPException(404, f"no predictions of model {model!r} in namespace {namespace!r} are stored")
        return PerformanceAnswer(
            namespace=namespace,
            model=model,
            age_seconds=measured[0].age,
            versions=[VersionPerformance.of(version) for version in measured],
        )


def _add_threshold(router: APIRouter, log: PredictionLog) -> None:
    Cost = Annotated[float | None, Query(gt=0, le=1e12, description="In any unit; both or neither.")]  # noqa: N806 - a type

    @router.get("/v1/threshold/{namespace}/{model}/{version}", summary="Propose a decision threshold from labels")
    def threshold(
        namespace: str,
        model: str,
        version: str,
        false_positive_cost: Cost = None,
        false_negative_cost: Cost = None,
    ) -> ThresholdAnswer:
        """The threshold with the largest F1, or with the smallest cost if both costs are given.

        Nothing changes by asking: the threshold in use is the manifest's, and a person releases another.
        """
        if (false_positive_cost is None) != (false_negative_cost is None):
            raise HTTPException(400, "false_positive_cost, false_negative_cost: expected both or neither")
        costs = None
        if false_positive_cost is not None and false_negative_cost is not None:
            costs = Costs(false_positive_cost, false_negative_cost)
        stream = Stream(namespace, model, version)
        target, labelled = log.scores.labelled(stream)
        if labelled is None or target is None:
            raise HTTPException(404, f"no predictions of model {model!r} version {version!r} are stored")
        if target.task is not Task.BINARY:
            raise HTTPException(400, f"version: its task is {target.task}, expected {Task.BINARY}")
        current = 0.5 if target.decision_threshold is None else target.decision_threshold
        proposal = propose(labelled.scores[:, 1], labelled.labels, labelled.requests, current=current, costs=costs)
        objective = "f1" if costs is None else "cost"
        return ThresholdAnswer.of((namespace, model, version), current, objective, proposal)


def _add_predictions(router: APIRouter, log: PredictionLog) -> None:
    @router.get(
        "/v1/predictions/{namespace}/{model}",
        summary="The audit log: stored predictions with their labels",
        response_class=StreamingResponse,
        responses={200: {"content": {"application/x-ndjson": {}}}},
    )
    def predictions(namespace: str, model: str, since: Time = None, until: Time = None) -> StreamingResponse:
        """One JSON object per line, in the order of storing. An answer that ends early was cut off by the store."""
        selection = Selection(
            namespace,
            model,
            to_microseconds(since) if since is not None else None,
            to_microseconds(until) if until is not None else None,
        )
        pages = records(log.database, selection)
        first = next(pages, [])  # a store that is gone is answered with a status
        return StreamingResponse(_lines(first, pages), media_type="application/x-ndjson")


def _lines(first: list[dict[str, Any]], pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    yield _page(first)
    for page in pages:
        yield _page(page)


def _page(page: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(record, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE) for record in page)
