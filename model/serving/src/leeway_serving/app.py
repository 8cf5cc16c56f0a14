"""The HTTP interface: which path is answered how."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from leeway_serving import __version__
from leeway_serving.capture.events import Inference
from leeway_serving.errors import RequestError
from leeway_serving.http import (
    RECEIVED,
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
from leeway_serving.tracing.trace import UNTRACED, Attributes, Trace, Tracer

UNKNOWN_VERSION = "unknown"
"""Said in `x-leeway-version` and in metrics as long as nobody knows which version is to be served."""

_log = logging.getLogger(__name__)
_JSON = b"application/json"


_BINARY = b"application/octet-stream"


class Capture(Protocol):
    """What takes inferences for the drift detector."""

    def offer(self, inference: Inference) -> None:
        """Takes an inference and never waits."""


@dataclass(slots=True)
class _Call:
    """A request.

    Attributes:
        path: asked for.
        method: asked with.
        headers: of the request.
        id: its `x-request-id`.
        trace: of an inference, if it is traced.
        body: as soon as it has been read.
        json_bytes: how much of the body is JSON when binary tensors follow.
    """

    path: str
    method: str
    headers: Headers
    id: str
    trace: Trace
    body: bytes | None = None
    json_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is sent back; `json_bytes` says how much of it is JSON when binary tensors follow."""

    body: bytes
    content_type: bytes = _JSON
    rows: int = 0
    json_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Route:
    """A path. `protocol` is the metrics' name for an inference path, empty for any other."""

    method: str
    answer: Callable[[_Call], _Answer]
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
        capture: Capture | None = None,
        tracer: Tracer | None = None,
        clock: Callable[[], float] = time.perf_counter,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Starts out not ready.

        Args:
            model: the name that clients call.
            version: what the server was told to serve, if it was.
            admission: counts requests and knows their limits.
            metrics: counts answers.
            capture: takes the inferences whose body was read, whatever was answered; None if nobody wants them.
            tracer: traces some of the inferences; None if nobody wants traces.
            clock: `time.perf_counter()`, or what stands for it; in seconds.
            wall: the time of day, in epoch seconds.
        """
        self._name = model
        self._version = (version or UNKNOWN_VERSION).encode()
        self._admission = admission
        self._limits = admission.limits
        self._metrics = metrics
        self._capture = capture
        self._tracer = tracer
        self._clock = clock
        self._wall = wall
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
        now = self._clock()
        # Whoever calls the application without a connection has not let it wait.
        started = scope.get("state", {}).get(RECEIVED, now)
        headers: Headers = dict(scope["headers"])
        given_id = request_id(headers)
        path, method = scope["path"], scope["method"]
        route = self._routes.get(path)
        protocol = "" if route is None or method != route.method else route.protocol
        counted = bool(protocol) and b"x-leeway-probe" not in headers
        trace = self._trace(counted, method, path, headers, now - started)
        call = _Call(path, method, headers, given_id.decode(), trace)
        common = [(b"x-request-id", given_id), (b"x-leeway-version", self._version)]
        status = 200
        try:
            answer = await self._answer(route, call, receive)
        except RequestError as error:
            status, answer = error.status, _Answer(error_body(str(error)))
            if counted:
                self._metrics.refused(protocol, code=status, reason=error.reason)
            trace.enter("respond")
            await _refuse(error, answer, common, receive, send)
        except ClientGoneError:
            trace.end({"error.type": "client_gone"})
            return
        except Exception:  # noqa: BLE001 - whatever it was, the client gets an answer and the next request is served
            _log.exception("a request failed", extra=self._about(call))
            if counted:
                self._metrics.failed(protocol)
            status = 500
            answer = _Answer(error_body(f"the server failed on this request; see its log for request id {call.id}"))
            trace.enter("respond")
            await respond(send, status, answer.body, [*common, (b"content-type", _JSON)])
        else:
            if answer.json_bytes is not None:
                common.append((b"inference-header-content-length", str(answer.json_bytes).encode()))
            await respond(send, status, answer.body, [*common, (b"content-type", answer.content_type)])
            if counted:
                self._metrics.predicted(protocol, rows=answer.rows, seconds=self._clock() - started)
        if counted:
            self._report(call, protocol, answer, status, started)

    def _trace(
        self,
        wanted: bool,  # noqa: FBT001 - the only caller's
        method: str,
        path: str,
        headers: Headers,
        waited: float,
    ) -> Trace:
        if self._tracer is None or not wanted:
            return UNTRACED
        return self._tracer.begin(f"{method} {path}", headers.get(b"traceparent"), waited)

    def _report(self, call: _Call, protocol: str, answer: _Answer, status: int, started: float) -> None:
        """Tells the trace, capture and, if it listens, the log of what was answered."""
        if call.trace is not UNTRACED:
            call.trace.end(self._attributes(call, protocol, answer, status), failed=status >= 500)  # noqa: PLR2004 - 5xx
        if _log.isEnabledFor(logging.DEBUG):
            fields = {"protocol": protocol, "code": status, "rows": answer.rows}
            _log.debug("answered", extra={**self._about(call), "fields": fields})
        if call.body is not None and self._capture is not None:
            self._capture.offer(self._inference(call, call.body, answer, status, self._clock() - started))

    def _attributes(self, call: _Call, protocol: str, answer: _Answer, status: int) -> Attributes:
        """What a span says of a request: nothing that it asked or was answered."""
        attributes: dict[str, str | int] = {
            "http.request.method": call.method,
            "http.route": call.path,
            "http.response.status_code": status,
            "leeway.protocol": protocol,
            "leeway.version": self._version.decode(),
            "leeway.request_id": call.id,
        }
        return attributes | ({"leeway.rows": answer.rows} if answer.rows else {})

    def _about(self, call: _Call) -> dict[str, str | None]:
        """What a log line says of a request."""
        return {"version": self._version.decode(), "request_id": call.id, "trace_id": call.trace.id}

    async def _answer(self, route: _Route | None, call: _Call, receive: Receive) -> _Answer:
        if route is None:
            raise self._no_such_path(call.path)
        if call.method != route.method:
            message = f"method {call.method} was sent to {call.path}; {route.method} was expected"
            raise RequestError(405, "method", message, Allow=route.method)
        if not route.protocol:
            return route.answer(call)
        self._ready()
        call.json_bytes = check_media_type(call.headers, binary=route.protocol == "v2")
        with Admitted(self._admission) as admitted:
            call.trace.enter("read")
            call.body = await read_body(call.headers, receive, self._limits, admitted)
            call.trace.enter("decode")
            return route.answer(call)

    def _inference(self, call: _Call, body: bytes, answer: _Answer, status: int, seconds: float) -> Inference:
        served = self._ready()
        ended = self._wall()
        return Inference(
            request_id=call.id,
            version=served.version,
            digest=served.digest,
            status=status,
            request=body,
            response=answer.body,
            binary_request=call.json_bytes is not None,
            binary_response=answer.json_bytes is not None,
            started=ended - seconds,
            ended=ended,
            traceparent=call.trace.traceparent,
        )

    def _v2(self, call: _Call) -> _Answer:
        served = self._ready()
        request = v2.decode(call.body or b"", served.signature, max_rows=self._limits.rows, json_bytes=call.json_bytes)
        call.trace.enter("predict")
        outputs = served.model.predict(request.tensors, request.outputs)
        call.trace.enter("respond")
        body, json_bytes = v2.encode(
            outputs,
            model=self._name,
            version=served.version,
            request_id=request.id or call.id,
            binary_outputs=request.binary,
        )
        return _Answer(body, _JSON if json_bytes is None else _BINARY, request.rows, json_bytes)

    def _rows(self, call: _Call, field: str, **others: str) -> _Answer:
        served = self._ready()
        tensors, rows = v1.decode(call.body or b"", served.signature, field=field, max_rows=self._limits.rows)
        call.trace.enter("predict")
        outputs = served.model.predict(tensors, served.signature.output_names)
        call.trace.enter("respond")
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
            return _Route("GET", lambda _call: _Answer(orjson.dumps(answer())))

        def ready() -> dict[str, Any]:
            return {"name": name, "ready": bool(self._accepting())}

        return {
            "/": get(lambda: {"status": "alive"}),
            "/v2": get(
                lambda: {"name": "leeway-onnx-server", "version": __version__, "extensions": ["binary_tensor_data"]}
            ),
            "/v2/health/live": get(lambda: {"live": True}),
            "/v2/health/ready": get(lambda: {"ready": bool(self._accepting())}),
            "/v2/models": get(lambda: {"models": [name]}),
            f"/v2/models/{name}": _Route("GET", lambda _call: _Answer(self._ready().metadata)),
            f"/v2/models/{name}/ready": get(ready),
            f"/v2/models/{name}/infer": _Route("POST", self._v2, "v2"),
            "/v1/models": get(lambda: {"models": [name]}),
            f"/v1/models/{name}": get(ready),
            f"/v1/models/{name}:predict": _Route("POST", lambda call: self._rows(call, v1.V1_FIELD), "v1"),
            "/api/v1/health": get(lambda: {"status": "ok", "model": name, "version": self._accepting().version}),
            "/api/v1/predict": _Route("POST", self._plain, "plain"),
            "/openapi.json": _Route("GET", lambda _call: _Answer(self._ready().openapi)),
        }

    def _plain(self, call: _Call) -> _Answer:
        return self._rows(call, v1.PLAIN_FIELD, model=self._name, version=self._ready().version)

    def _bundle_file(self, name: str) -> Callable[[_Call], _Answer]:
        content_type = _JSON if name.endswith(".json") else b"application/octet-stream"
        return lambda _call: _Answer(self._ready().files[name], content_type)


async def _refuse(
    error: RequestError, answer: _Answer, common: list[tuple[bytes, bytes]], receive: Receive, send: Send
) -> None:
    headers = [*common, (b"content-type", _JSON)]
    headers += [
        (name.lower().encode(), value.encode()) for name, value in error.headers.items() if name != "Connection"
    ]
    if "Connection" in error.headers:
        await respond_and_close(receive, send, error.status, answer.body, headers)
    else:
        await respond(send, error.status, answer.body, headers)
