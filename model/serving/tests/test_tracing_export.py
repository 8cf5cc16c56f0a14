"""The queue before a collector: it is bounded, what it gives up is counted, and nobody waits for it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from leeway_serving.tracing.otlp import Export, OtlpTracer

REQUESTS = 750
SPANS = 4
"""Of a request: itself and three stages."""


class Slow(BaseHTTPRequestHandler):
    """A collector that takes nothing before it may."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.set()  # type: ignore[attr-defined]
        self.server.may.wait()  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def slow() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Slow)
    server.asked, server.may = threading.Event(), threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.may.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_does_not_fit_is_lost_and_counted(slow: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    export = Export(f"http://127.0.0.1:{slow.server_address[1]}")
    tracer = OtlpTracer(export.provider, 1, {})
    for number in range(REQUESTS):
        if number == 1:
            slow.asked.wait()  # type: ignore[attr-defined] # the first batch is under way, the others have to wait
        trace = tracer.begin("POST /", None, 0.0)
        trace.enter("read")
        trace.enter("respond")
        trace.end({})
    slow.may.set()  # type: ignore[attr-defined]
    export.close(30)
    (line,) = [record for record in caplog.records if record.message == "spans were lost"]
    fields = vars(line)["fields"]
    assert fields["recorded"] == REQUESTS * SPANS
    assert fields["lost"] == (REQUESTS - 1) * SPANS - 2048
    assert json.dumps(fields)
    told = [record.message for record in caplog.records]
    assert told == ["spans are given up, as more are made than are taken", "spans were lost"]
