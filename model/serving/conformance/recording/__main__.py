"""Records what KServe's agent really sends: `python -m recording --agent AGENT --bundle DIR --output DIR`.

The agent is started in front of `leeway-serve` with the arguments of KServe's pod webhook, and logs to a sink that
keeps everything. Each case becomes one file, a list of events in the order of their arrival, in the form of
`schemas/examples/events`. Ids and times differ between two recordings.
"""

import argparse
import asyncio
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

PATIENCE = 30.0
MODEL = "flights"
INFER = f"/v2/models/{MODEL}/infer"
PREDICT = f"/v1/models/{MODEL}:predict"
ROW: Mapping[str, float | str | None] = {
    "dep_delay": -8.0,
    "hour": 5.0,
    "distance": 1089.0,
    "temp": 73.4,
    "humid": 94.1,
    "wind_speed": 5.7539,
    "precip": 0.02,
    "pressure": None,
    "visib": 8.0,
    "carrier": "AA",
    "origin": "JFK",
}
LATE = {**ROW, "dep_delay": 95.0, "carrier": "B6"}
Event = dict[str, Any]


def tensors(*rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows as JSON tensors of V2."""
    return [
        {
            "name": name,
            "datatype": "BYTES" if isinstance(value, str) else "FP32",
            "shape": [len(rows), 1],
            "data": [row[name] for row in rows],
        }
        for name, value in ROW.items()
    ]


def post(path: str, body: object, **headers: str) -> Callable[[str], None]:
    """A case that sends one request."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def send(agent: str) -> None:
        httpx.post(agent + path, content=content, headers={"content-type": "application/json", **named})

    return send


def get(path: str) -> Callable[[str], None]:
    """A case that reads something."""

    def send(agent: str) -> None:
        httpx.get(agent + path)

    return send


def binary(*rows: Mapping[str, Any], **parameters: bool) -> Callable[[str], None]:
    """A case in which the SDK's client sends the rows as it does unless it is told otherwise."""

    def send(agent: str) -> None:
        inputs = []
        for tensor in tensors(*rows):
            given = InferInput(tensor["name"], tensor["shape"], tensor["datatype"])
            kind = np.object_ if tensor["datatype"] == "BYTES" else np.float32
            given.set_data_from_numpy(np.array(tensor["data"], kind).reshape(tensor["shape"]))
            inputs.append(given)
        request = InferRequest(MODEL, inputs, request_id="sdk-1", parameters=parameters or None)

        async def infer() -> None:
            async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
                await client.infer(agent, request, model_name=MODEL, headers={"x-request-id": "recorded-binary"})

        asyncio.run(infer())

    return send


def twice(send: Callable[[str], None]) -> Callable[[str], None]:
    """A case that happens two times."""

    def both(agent: str) -> None:
        send(agent)
        send(agent)

    return both


CASES: Mapping[str, tuple[int, Callable[[str], None]]] = {
    "v1": (2, post(PREDICT, {"instances": [ROW, LATE]}, x_request_id="recorded-v1")),
    "v2": (2, post(INFER, {"id": "own-id", "inputs": tensors(ROW, LATE)}, x_request_id="recorded-v2")),
    "v2-without-request-id": (2, post(INFER, {"inputs": tensors(ROW)})),
    "v2-binary": (2, binary(ROW, LATE)),
    "v2-binary-both-ways": (2, binary(ROW, LATE, binary_data_output=True)),
    "plain": (2, post("/api/v1/predict", {"rows": [ROW]}, x_request_id="recorded-plain")),
    "metadata": (2, get(f"/v2/models/{MODEL}")),
    "empty-body": (1, post(INFER, b"", x_request_id="recorded-empty")),
    "no-json": (1, post(PREDICT, b'{"instances": [', x_request_id="recorded-no-json")),
    "wrong-type": (1, post(PREDICT, {"instances": [{**ROW, "temp": "warm"}]}, x_request_id="recorded-wrong-type")),
    "duplicate-id": (
        4,
        twice(post(PREDICT, {"instances": [ROW]}, x_request_id="recorded-twice", ce_id="chosen-by-a-client")),
    ),
}
"""By name: how many events are to be expected (KServe sends a response for 200 only), and what is sent."""


@contextmanager
def sink(events: queue.Queue[Event]) -> Iterator[str]:
    """The URL of a sink that puts what it gets into `events`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name: value for name, value in sorted(self.headers.items()) if name != "Host"}
            try:
                said = {"body": body.decode()}
            except UnicodeDecodeError:
                said = {"body_base64": b64encode(body).decode()}
            events.put({"headers": headers, **said})
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def process(*command: str, **environment: str) -> Iterator[None]:
    """A process, killed at the end: the agent would take half a minute for a stop."""
    with subprocess.Popen(command, env=os.environ | environment, stdout=sys.stderr) as running:
        try:
            yield
        finally:
            running.kill()


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_until_ready(url: str) -> None:
    """Returns once the model behind `url` is ready."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/v2/health/ready").is_success:
                return
        except httpx.TransportError:
            pass  # nobody listens yet
        time.sleep(0.1)
    raise TimeoutError(f"{url} did not get ready within {PATIENCE:g} s")


def main() -> int:
    """Records every case."""
    parser = argparse.ArgumentParser(prog="recording", description="Records the events of KServe's agent.")
    parser.add_argument("--agent", required=True, help="the program of KServe's agent")
    parser.add_argument("--bundle", required=True, help="a bundle of the flights model")
    parser.add_argument("--output", required=True, type=Path, help="folder for one file per case")
    options = parser.parse_args()
    server, agent = free_port(), free_port()
    events: queue.Queue[Event] = queue.Queue()
    with ExitStack() as running:
        url = running.enter_context(sink(events))
        serve = [str(Path(sys.executable).with_name("leeway-serve")), f"--model-name={MODEL}"]
        serve += [f"--model-dir={options.bundle}", f"--http-port={server}", f"--metrics-port={free_port()}"]
        running.enter_context(process(*serve))
        wait_until_ready(f"http://127.0.0.1:{server}")
        # As the pod webhook writes them, but for addresses.
        flags = f"--log-url {url} --source-uri= --log-mode all --inference-service {MODEL}-a --namespace leeway"
        flags += (
            " --endpoint 1.0.0 --component predictor --metadata-headers X-Request-Id --logger-tls-skip-verify=false"
        )
        flags += f" --component-port {server} --port {agent}"
        probe = json.dumps({"httpGet": {"path": "/v2/health/ready", "port": server, "scheme": "HTTP"}})
        running.enter_context(process(options.agent, *flags.split(), SERVING_READINESS_PROBE=probe))
        wait_until_ready(f"http://127.0.0.1:{agent}")
        for _ in range(2):  # that last question was an event too
            events.get(timeout=PATIENCE)
        for name, (expected, send) in CASES.items():
            send(f"http://127.0.0.1:{agent}")
            got = [events.get(timeout=PATIENCE) for _ in range(expected)]
            (options.output / f"{name}.json").write_text(json.dumps(got, indent=1, ensure_ascii=False) + "\n")
            sys.stdout.write(f"{len(got)} events  {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
