"""What only the evaluating replica knows is answered by it, whichever replica was asked."""

from collections.abc import Callable
from typing import Protocol

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from leeway_drift.service.views import Sharing

FORWARDED = ("/v1/status", "/v1/compare", "/ui")
DRILLS = "/v1/simulate"
MARK = "x-leeway-forwarded"
ANSWERED_WITHIN = 5.0


class Ask(Protocol):
    """Asks another replica."""

    def __call__(self, url: str) -> tuple[int, str, bytes]:
        """Status, content type and body of its answer.

        Raises:
            OSError: it has not answered.
        """


def http_ask(client: httpx.Client) -> Ask:
    """Asks by HTTP."""

    def ask(url: str) -> tuple[int, str, bytes]:
        try:
            answer = client.get(url, headers={MARK: "1"}, timeout=ANSWERED_WITHIN)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        return answer.status_code, answer.headers.get("content-type", "application/json"), answer.content

    return ask


class Forwarding:
    """Stands before the API of a replica that shares its counts.

    Args:
        app: the API.
        sharing: where judging is done now.
        ask: asks other replicas.
    """

    def __init__(self, app: ASGIApp, sharing: Callable[[], Sharing], ask: Ask) -> None:
        self._app = app
        self._sharing = sharing
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, forward, or hand on to the API."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith((*FORWARDED, DRILLS)):
            await self._app(scope, receive, send)
            return
        answer = await self._elsewhere(scope, path)
        await (answer or self._app)(scope, receive, send)

    async def _elsewhere(self, scope: Scope, path: str) -> Response | None:
        """None if it is to be answered here."""
        sharing = self._sharing()
        if path.startswith(DRILLS):
            return _refused(409, "a drill needs a detector with one replica: its requests would reach all of them")
        if sharing.evaluates:
            return None
        if sharing.evaluator is None:
            blind = path.startswith("/v1/compare")  # a status can say why nothing is known, ticks cannot
            return _refused(503, f"{sharing.reason}; try again") if blind else None
        if any(name == MARK.encode() for name, _ in scope["headers"]):
            return _refused(503, "another replica evaluates by now; try again")
        query = scope["query_string"].decode("latin-1")
        url = f"{sharing.evaluator}{scope['raw_path'].decode('latin-1')}{'?' if query else ''}{query}"
        try:
            status, content_type, body = await run_in_threadpool(self._ask, url)
        except OSError as error:
            return _refused(503, f"the evaluating replica has not answered: {error}; try again")
        return Response(body, status, headers={"content-type": content_type})


def _refused(status: int, reason: str) -> JSONResponse:
    headers = {"Retry-After": "5"} if status == httpx.codes.SERVICE_UNAVAILABLE else None
    return JSONResponse({"error": reason}, status_code=status, headers=headers)
