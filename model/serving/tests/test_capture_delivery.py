"""From offered inferences to a sink, over real connections: batches, a retry, the end, and sinks that fail."""

import json
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from leeway_serving.capture.buffer import BufferLimits
from leeway_serving.capture.capture import Capture
from leeway_serving.capture.events import Inference
from leeway_serving.capture.settings import CaptureSettings
from leeway_serving.capture.sink import HttpSink, SinkError

PATIENCE = 30
LIMITS = BufferLimits(inferences=64, batch_inferences=8, seconds=0.01)
INFERENCE = Inference(
    "r-1", "1.0.0", None, 200, b"{}", b"{}", binary_request=False, binary_response=False, started=0, ended=0
)


@dataclass
class Received:
    """What a sink has received, and what it answers: the statuses in `answers` first, then 200."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    types: set[str] = field(default_factory=set)
    connections: int = 0
    answers: list[int] = field(default_factory=list)
    more: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def ids(self) -> list[str]:
        return [event["id"] for body in self.bodies for event in json.loads(body)]


@contextmanager
def listening(received: Received) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = PATIENCE

        def setup(self) -> None:
            received.connections += 1
            super().setup()

        def do_POST(self) -> None:
            received.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            received.types.add(f"{self.headers['content-type']} {self.path}")
            status = received.answers.pop(0) if received.answers else 200
            if status:  # 0 is a sink that dies with the request in its hands
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
            self.close_connection = not status
            received.more.release()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}/in?x=1"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def received() -> Iterator[Received]:
    received = Received()
    with listening(received):
        yield received


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[Capture, Counter[str]]]]:
    captures = []

    def make(url: str, limits: BufferLimits = LIMITS, sample: float = 1.0) -> tuple[Capture, Counter[str]]:
        counts: Counter[str] = Counter()
        lock = threading.Lock()

        def counted(outcome: str, events: int) -> None:
            with lock:
                counts[outcome] += events

        settings = CaptureSettings(url, sample=sample, namespace="models", inferenceservice="flights-a")
        captures.append(Capture(settings, HttpSink(url, timeout=PATIENCE, pause=0.01), counted, limits=limits))
        return captures[-1], counts

    yield make
    for capture in captures:
        capture.close(PATIENCE)


def nobody() -> str:
    """The URL of a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def test_every_inference_arrives_once_in_batches_on_one_connection(
    received: Received, start: Callable[..., Any]
) -> None:
    capture, counts = start(received.url)
    for number in range(40):
        capture.offer(INFERENCE._replace(request_id=str(number)))
    capture.close(PATIENCE)
    events = [event for body in received.bodies for event in json.loads(body)]
    requests = [json.loads(event["metadata"])["X-Request-Id"][0] for event in events[::2]]
    assert requests == [str(number) for number in range(40)]
    assert len(set(received.ids())) == 40
    assert all(len(json.loads(body)) <= 16 for body in received.bodies)
    assert received.types == {"application/cloudevents-batch+json /in?x=1"}
    assert received.connections == 1
    assert counts == {"sent": 80}


def test_a_batch_goes_out_without_waiting_for_the_end(received: Received, start: Callable[..., Any]) -> None:
    capture, _ = start(received.url)
    capture.offer(INFERENCE)
    assert received.more.acquire(timeout=PATIENCE)


@pytest.mark.parametrize("status", [0, 503, 429])
def test_a_batch_that_was_not_taken_is_sent_once_more_under_the_same_ids(
    received: Received, start: Callable[..., Any], status: int
) -> None:
    received.answers = [status]
    capture, counts = start(received.url)
    capture.offer(INFERENCE)
    capture.close(PATIENCE)
    assert len(received.bodies) == 2
    assert received.bodies[0] == received.bodies[1]
    assert counts == {"sent": 2}


@pytest.mark.parametrize(("answers", "attempts"), [([503, 503], 2), ([0, 0], 2), ([413], 1), ([302], 1)])
def test_a_batch_that_is_refused_is_lost_and_the_next_is_sent(
    received: Received,
    start: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    answers: list[int],
    attempts: int,
) -> None:
    received.answers = answers
    capture, counts = start(received.url)
    secret = INFERENCE._replace(request=b'{"name":"Ishmael"}')
    with caplog.at_level(logging.INFO):
        capture.offer(secret)
        for _ in range(attempts):
            assert received.more.acquire(timeout=PATIENCE)
        capture.offer(secret._replace(request_id="r-2"))
        capture.close(PATIENCE)
    assert len(received.bodies) == attempts + 1
    assert counts == {"failed": 2, "sent": 2}
    assert [record.message for record in caplog.records] == ["events are not taken", "events are taken again"]
    assert "Ishmael" not in caplog.text


def test_a_sink_that_is_not_there_costs_events_and_nothing_else(start: Callable[..., Any]) -> None:
    capture, counts = start(nobody())
    for _ in range(200):
        capture.offer(INFERENCE)
    capture.close(PATIENCE)
    assert counts["failed"] + counts["dropped"] == 400
    assert counts["failed"] >= 128  # what was held at the end was tried


def test_what_a_silent_sink_does_not_take_is_dropped_at_the_end(start: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        never_by_age = replace(LIMITS, seconds=PATIENCE)
        capture, counts = start(f"http://127.0.0.1:{silent.getsockname()[1]}/", never_by_age)
        for _ in range(8):
            capture.offer(INFERENCE)
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)  # the first batch is on its way and will never be answered
            for _ in range(5):
                capture.offer(INFERENCE)
            capture.close(0.01)
            assert counts == {"dropped": 10}
            silent.close()


def test_a_sampled_out_inference_is_counted_and_neither_of_its_events_is_sent(
    received: Received, start: Callable[..., Any]
) -> None:
    capture, counts = start(received.url, replace(LIMITS, inferences=1000), sample=0.5)
    for number in range(400):
        capture.offer(INFERENCE._replace(request_id=str(number)))
    capture.close(PATIENCE)
    assert counts["sent"] + counts["sampled_out"] == 800
    assert 300 < counts["sent"] < 500
    assert len(received.ids()) == counts["sent"]
    assert set(Counter(received.ids()).values()) == {2}


def test_a_sink_that_answers_no_http_is_a_sink_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        sink = HttpSink(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=PATIENCE, pause=0.5)
        with pytest.raises(SinkError, match="BadStatusLine") as caught:
            sink.post(b"[]")
        assert caught.value.retry_seconds == 0.5
        thread.join()


def test_an_idle_connection_that_the_sink_has_closed_costs_no_pause(received: Received) -> None:
    sink = HttpSink(received.url, timeout=PATIENCE, pause=PATIENCE)
    sink.post(b"[]")
    received.answers = [0]
    with pytest.raises(SinkError) as caught:
        sink.post(b"[]")
    assert caught.value.retry_seconds == 0
    sink.post(b"[]")
    sink.close()
    assert received.connections == 2
