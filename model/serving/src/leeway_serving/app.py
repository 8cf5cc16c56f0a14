"""The HTTP interface: which path is answered how."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from leeway_serving import __version__
from leeway_serving.errors import RequestError
from leeway_serving.http import (
    Admission,
    Admitted,
    ClientGoneError,
    Headers,
    Receive,
    Send,
    check_media_type,
    error_body,
    read_body,
    request_id,
    respond,
    respond_and_close,
)
from leeway_serving.loading import Served
from leeway_serving.metrics import Metrics
from leeway_serving.protocol import v1, v2

UNKNOWN_VERSION = "unknown"
"""Said in `x-leeway-version` and in metrics as long as nobody knows which version is to be served."""

_log = logging.getLogger(__name__)
_JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    content_type: bytes = _JSON
    rows: int = 0


@dataclass(frozen=True, slots=True)
class _Route:
    """A path. `protocol` is the metrics' name for an inference path, empty for any other."""

    method: str
    answer: Callable[[bytes, str], _Answer]
    protocol: str = ""


class Application:
    """An ASGI application that answers for one model, also while there is none yet or never will be.

    Predictions run on the event loop: a small model takes less time than handing it to a thread would.
    """

    def __init__(
        self,
        *,
        model: str,
        version: str | None,
        admission: Admission,
        metrics: Metrics,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Starts out not ready.

        Args:
            model: the name that clients call.
            version: what the server was told to serve, if it was.
            admission: counts requests and knows their limits.
            metrics: counts answers.
            clock: monotonic, in seconds.
        """
        self._name = model
        self._version = (version or UNKNOWN_VERSION).encode()
        self._admission = admission
        self._limits = admission.limits
        self._metrics = metrics
        self._clock = clock
        self._served: Served | None = None
        self._draining = False
        self._why_not = "the server is starting"
        self._refused = False
        self._routes = self._unversioned_routes()

    def loading(self, progress: str) -> None:
        """Says how far the model has come; 503 answers tell it, with `Retry-After`."""
        self._why_not = progress

    def refuse(self, reason: str) -> None:
        """Says why there will be no model, ever; 503 answers tell it, without `Retry-After`."""
        self._why_not = reason
        self._refused = True

    def serve(self, served: Served) -> None:
        """Makes `served` what requests are answered with."""
        self._served = served
        self._version = served.version.encode()
        prefix, versioned = f"/v2/models/{self._name}", f"/v2/models/{self._name}/versions/{served.version}"
        self._routes |= {versioned + tail: self._routes[prefix + tail] for tail in ("", "/ready", "/infer")}
        for name in served.files:
            self._routes[f"/bundle/{name}"] = _Route("GET", self._bundle_file(name))

    def drain(self) -> None:
        """Makes readiness false; requests are still answered."""
        self._draining = True

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        started = self._clock()
        headers: Headers = dict(scope["headers"])
        given_id = request_id(headers)
        route = self._routes.get(scope["path"])
        protocol = "" if route is None or scope["method"] != route.method else route.protocol
        counted = protocol and b"x-leeway-probe" not in headers
        common = [(b"x-request-id", given_id), (b"x-leeway-version", self._version)]
        try:
            answer = await self._answer(route, scope, headers, receive, given_id.decode())
        except RequestError as error:
            if counted:
                self._metrics.refused(protocol, code=error.status, reason=error.reason)
            await _refuse(error, common, receive, send)
        except ClientGoneError:
            return
        except Exception:  # noqa: BLE001 - whatever it was, the client gets an answer and the next request is served
            _log.exception("a request failed", extra={"request_id": given_id.decode()})
            if counted:
                self._metrics.failed(protocol)
            body = error_body(f"the server failed on this request; see its log for request id {given_id.decode()}")
            await respond(send, 500, body, [*common, (b"content-type", _JSON)])
        else:
            await respond(send, 200, answer.body, [*common, (b"content-type", answer.content_type)])
            if counted:
                self._metrics.predicted(protocol, rows=answer.rows, seconds=self._clock() - started)

    async def _answer(
        self, route: _Route | None, scope: Mapping[str, Any], headers: Headers, receive: Receive, given_id: str
    ) -> _Answer:
        if route is None:
            raise self._no_such_path(scope["path"])
        if scope["method"] != route.method:
            message = f"method {scope['method']} was sent to {scope['path']}; {route.method} was expected"
            raise RequestError(405, "method", message, Allow=route.method)
        if not route.protocol:
            return route.answer(b"", given_id)
        self._ready()
        check_media_type(headers)
        with Admitted(self._admission) as admitted:
            return route.answer(await read_body(headers, receive, self._limits, admitted), given_id)

    def _v2(self, body: bytes, given_id: str) -> _Answer:
        served = self._ready()
        request = v2.decode(body, served.signature, max_rows=self._limits.rows)
        outputs = served.model.predict(request.tensors, request.outputs)
        answer = v2.encode(outputs, model=self._name, version=served.version, request_id=request.id or given_id)
        return _Answer(answer, rows=request.rows)

    def _rows(self, body: bytes, field: str, **others: str) -> _Answer:
        served = self._ready()
        tensors, rows = v1.decode(body, served.signature, field=field, max_rows=self._limits.rows)
        outputs = served.model.predict(tensors, served.signature.output_names)
        return _Answer(v1.encode(outputs, rows, **others), rows=rows)

    def _ready(self) -> Served:
        if self._served is None:
            raise self._unavailable(self._why_not, for_good=self._refused)
        return self._served

    def _accepting(self) -> Served:
        """As `_ready`, and new requests are welcome too."""
        served = self._ready()
        if self._draining:
            raise self._unavailable("the server is shutting down", for_good=False)
        return served

    def _unavailable(self, why: str, *, for_good: bool) -> RequestError:
        """503. `Retry-After` is how a client tells a server that needs time from one that needs another model."""
        headers = {} if for_good else {"Retry_After": "1"}
        return RequestError(503, "not_ready", f"model '{self._name}' is not ready: {why}", **headers)

    def _no_such_path(self, path: str) -> RequestError:
        for prefix in ("/v1/models/", "/v2/models/"):
            if path.startswith(prefix):
                model, _, rest = path.removeprefix(prefix).partition("/")
                model = model.partition(":")[0]
                if model != self._name:
                    return RequestError(
                        404, "not_found", f"there is no model '{model}'; this server serves '{self._name}'"
                    )
                if rest.startswith("versions/"):
                    version, served = rest.split("/")[1], self._ready().version
                    if version != served:
                        message = f"there is no version '{version}' of model '{model}'; this server serves '{served}'"
                        return RequestError(404, "not_found", message)
        return RequestError(404, "not_found", f"there is nothing at {path}; /openapi.json tells what there is")

    def _unversioned_routes(self) -> dict[str, _Route]:
        name = self._name

        def get(answer: Callable[[], Any]) -> _Route:
            return _Route("GET", lambda _body, _id: _Answer(orjson.dumps(answer())))

        def ready() -> dict[str, Any]:
            return {"name": name, "ready": bool(self._accepting())}

        return {
            "/": get(lambda: {"status": "alive"}),
            "/v2": get(lambda: {"name": "leeway-onnx-server", "version": __version__, "extensions": []}),
            "/v2/health/live": get(lambda: {"live": True}),
            "/v2/health/ready": get(lambda: {"ready": bool(self._accepting())}),
            "/v2/models": get(lambda: {"models": [name]}),
            f"/v2/models/{name}": _Route("GET", lambda _body, _id: _Answer(self._ready().metadata)),
            f"/v2/models/{name}/ready": get(ready),
            f"/v2/models/{name}/infer": _Route("POST", self._v2, "v2"),
            "/v1/models": get(lambda: {"models": [name]}),
            f"/v1/models/{name}": get(ready),
            f"/v1/models/{name}:predict": _Route("POST", lambda body, _id: self._rows(body, v1.V1_FIELD), "v1"),
            "/api/v1/health": get(lambda: {"status": "ok", "model": name, "version": self._accepting().version}),
            "/api/v1/predict": _Route("POST", self._plain, "plain"),
            "/openapi.json": _Route("GET", lambda _body, _id: _Answer(self._ready().openapi)),
        }

    def _plain(self, body: bytes, _given_id: str) -> _Answer:
        return self._rows(body, v1.PLAIN_FIELD, model=self._name, version=self._ready().version)

    def _bundle_file(self, name: str) -> Callable[[bytes, str], _Answer]:
        content_type = _JSON if name.endswith(".json") else b"application/octet-stream"
        return lambda _body, _id: _Answer(self._ready().files[name], content_type)


async def _refuse(error: RequestError, common: list[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
    body = error_body(str(error))
    headers = [*common, (b"content-type", _JSON)]
    headers += [
        (name.lower().encode(), value.encode()) for name, value in error.headers.items() if name != "Connection"
    ]
    if "Connection" in error.headers:
        await respond_and_close(receive, send, error.status, body, headers)
    else:
        await respond(send, error.status, body, headers)
