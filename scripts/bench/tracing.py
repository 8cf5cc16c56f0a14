"""What tracing costs a request: CPU time of the model server without it and with it; prints a table.

Run by make bench-tracing. One V2 row goes through the whole application but the sockets; what sends spans runs beside
it in the same process, as it does in the server, and so its time counts. The ways take turns.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
from onnx import TensorProto, helper
from prometheus_client import CollectorRegistry

from leeway_serving.app import Application
from leeway_serving.http import Admission, Limits
from leeway_serving.loading import Served, Told, load
from leeway_serving.metrics import Metrics
from leeway_serving.tracing.otlp import Export, OtlpTracer
from leeway_serving.tracing.trace import UNTRACED

MODEL, FEATURES = "linear", 12
REQUESTS, ROUNDS = 2000, 15
HELD = 400
"""Traced requests whose spans the queue holds."""
PATH = f"/v2/models/{MODEL}/infer"
HEADERS = [
    (b"content-type", b"application/json"),
    (b"x-request-id", b"8a3f0c3e-52f1-4f1e-9c0e-6f4f8a7d1b10"),
    (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
]
RATIOS = (0.01, 0.1, 1.0)


def main() -> None:
    """Take turns and print medians of CPU time."""
    with tempfile.TemporaryDirectory() as directory, _collector() as endpoint:
        served = _served(Path(directory))
        export = Export(endpoint)
        ways = {"off": (_application(served, None), REQUESTS)}
        for ratio in RATIOS:
            tracer = OtlpTracer(export.provider, ratio, {"leeway.model": MODEL})
            ways[f"{ratio:.0%} of the requests traced"] = (_application(served, tracer), round(HELD / ratio))
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (application, at_once) in ways.items():
                taken[name].append(_seconds(application, export, at_once))
        export.close(10)
    off = statistics.median(taken["off"])
    print("| tracing | CPU us a request | beside off |\n|---|---|---|")
    for name, times in taken.items():
        ratio = statistics.median(one / without for one, without in zip(times, taken["off"], strict=True))
        print(f"| {name} | {statistics.median(times) * 1e6:.0f} | {ratio:.2f} |")
    calls = _off_seconds()
    print(f"\nThe calls that do nothing when it is off: {calls * 1e9:.0f} ns, {calls / off:.2%} of a request.")


def _application(served: Served, tracer: OtlpTracer | None) -> Application:
    admission = Admission(Limits())
    metrics = Metrics(CollectorRegistry(), model=MODEL, version="1", in_flight=lambda: admission.in_flight)
    application = Application(model=MODEL, version="1", admission=admission, metrics=metrics, tracer=tracer)
    application.serve(served)
    return application


def _seconds(application: Application, export: Export, at_once: int) -> float:
    """CPU time of one request, with that of sending its spans; they are sent after so many requests."""
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": HEADERS}
    inputs = [{"name": "row", "datatype": "FP32", "shape": [1, FEATURES], "data": list(range(FEATURES))}]
    message = {"type": "http.request", "body": orjson.dumps({"inputs": inputs}), "more_body": False}

    async def receive() -> dict[str, Any]:
        return message

    async def send(answer: Any) -> None:
        if answer.get("status", 200) != 200:  # noqa: PLR2004
            raise RuntimeError(f"the server answered {answer['status']}")

    began = time.process_time()
    for first in range(0, REQUESTS, at_once):
        asyncio.run(_repeat(lambda: application(scope, receive, send), min(at_once, REQUESTS - first)))
        export.provider.force_flush()
    return (time.process_time() - began) / REQUESTS


async def _repeat(ask: Callable[[], Awaitable[None]], times: int) -> None:
    for _ in range(times):
        await ask()


def _off_seconds(times: int = 200_000) -> float:
    """Of one request's share in what the application does for tracing when it is off, the loop around it taken away."""
    trace = UNTRACED
    began = time.process_time()
    for _ in range(times):
        trace.enter("read")
        trace.enter("decode")
        trace.enter("predict")
        trace.enter("respond")
        if trace is not UNTRACED:
            raise AssertionError
    did = time.process_time()
    for _ in range(times):
        pass
    return ((did - began) - (time.process_time() - did)) / times


def _served(directory: Path) -> Served:
    """A linear model: one whose prediction costs next to nothing, beside which tracing looks worst."""
    weights = onnx.numpy_helper.from_array(np.ones((FEATURES, 1), np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["row", "weights"], ["prediction"])],
        MODEL,
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])],
        [weights],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, directory / "model.onnx")
    return load(directory, name=MODEL, told=Told("1", None), max_rows=Limits.rows)


@contextmanager
def _collector() -> Iterator[str]:
    """Takes spans in a process of its own, whose time is not the server's."""
    ports: Queue[int] = Queue()
    process = Process(target=_collect, args=(ports,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ports.get(timeout=30)}"
    finally:
        process.terminate()
        process.join()


def _collect(ports: "Queue[int]") -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    ports.put(server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
