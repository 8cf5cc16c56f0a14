"""The HTTP API: the sink of KServe's logger, and what the windows hold."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from leeway_drift.reading.events import Kind, MalformedEvent, Stream
from leeway_drift.service.models import Acknowledgement, ErrorAnswer, WindowAnswer
from leeway_drift.service.worker import Worker
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.streams import Outcome, TooManyStreams

logger = logging.getLogger(__name__)


def create_app(detector: Detector) -> FastAPI:
    """The API around a detector; the app's lifespan runs the worker, and its end drains the queue."""
    worker = Worker(detector)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker.start()
        logger.info("ready", extra={"fields": {"limits": detector.limits}})
        yield
        logger.info("draining", extra={"fields": {"backlog": detector.backlog}})
        await worker.stop()
        logger.info("stopped")

    app = FastAPI(
        title="Leeway drift detector",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # the pages load scripts from elsewhere
        redoc_url=None,
        responses={"4XX": {"model": ErrorAnswer}},
    )
    _answer_errors_in_one_shape(app)
    _add_sink(app, detector, worker)
    _add_windows(app, detector)
    _add_health(app, worker)
    return app


def _answer_errors_in_one_shape(app: FastAPI) -> None:
    @app.exception_handler(StarletteHTTPException)
    async def refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return JSONResponse({"error": wrong}, status_code=400)


def _add_sink(app: FastAPI, detector: Detector, worker: Worker) -> None:
    @app.post("/", summary="Take an event of KServe's logger")
    async def take(request: Request) -> Acknowledgement:
        """A CloudEvent in HTTP binary mode; it is queued and decoded later, so 200 says no more than that it came."""
        try:
            admitted = detector.admit(request.headers)
        except MalformedEvent as error:
            raise HTTPException(400, str(error)) from error
        except TooManyStreams as error:
            raise HTTPException(503, str(error), headers={"Retry-After": "60"}) from error
        try:
            body = await _read(request, detector.limits.body_bytes)
        except ClientDisconnect as error:
            detector.give_up(admitted, Outcome.INCOMPLETE)
            raise HTTPException(400, "body: cut off") from error
        if body is None:
            detector.give_up(admitted, Outcome.TOO_LARGE)
            raise HTTPException(413, f"body: over the limit of {detector.limits.body_bytes} bytes")
        detector.offer(admitted, body)
        worker.notify()
        return Acknowledgement()


async def _read(request: Request, limit: int) -> bytes | None:
    """The body; None as soon as it is over the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def _add_windows(app: FastAPI, detector: Detector) -> None:
    @app.get("/v1/windows/{namespace}/{model}/{version}", summary="What a window holds now")
    async def window(namespace: str, model: str, version: str, type: Kind) -> WindowAnswer:  # noqa: A002 - the field's word
        """Counts, columns and request ids of the requests or responses in the window of a model's version."""
        stream = Stream(namespace, model, version)
        state = detector.streams.get(stream)
        if state is None:
            raise HTTPException(404, f"no events of model {model!r} version {version!r} in namespace {namespace!r}")
        return WindowAnswer.of(stream, type, state.windows[type])


def _add_health(app: FastAPI, worker: Worker) -> None:
    @app.get("/health/live", summary="Whether a restart would help")
    @app.get("/health/ready", summary="Whether events are taken")
    async def health() -> Acknowledgement:
        """503 if the worker has died."""
        if not worker.alive:
            raise HTTPException(503, "the worker has died; the log says of what")
        return Acknowledgement()
