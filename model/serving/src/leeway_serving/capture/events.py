"""Inferences as CloudEvents 1.0 in JSON batches, with the types and attributes of KServe's own logger."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from http import HTTPStatus
from typing import NamedTuple

import orjson

from leeway_serving.capture.settings import CaptureSettings

BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"
EVENTS_PER_INFERENCE = 2
_JSON = b"application/json"
_BINARY = b"application/octet-stream"
_OVERHEAD_BYTES = 2048
"""What attributes and objects of an inference's two events take beside its bodies, generously."""


class Inference(NamedTuple):  # a frozen dataclass takes several times as long to make, on the event loop
    """A request whose body was read, and its answer.

    Attributes:
        request_id: its `x-request-id`.
        version: of the model that answered.
        digest: of the bundle that answered, if it is one.
        status: HTTP status of the answer.
        request: body of the request.
        response: body of the answer.
        binary_request: whether binary tensors follow the JSON of the request.
        binary_response: whether they follow that of the answer.
        started: when the head of the request was there, in epoch seconds.
        ended: when the answer had been written, in epoch seconds.
        traceparent: names the span of the request; None if it is not traced.
    """

    request_id: str
    version: str
    digest: str | None
    status: int
    request: bytes
    response: bytes
    binary_request: bool
    binary_response: bool
    started: float
    ended: float
    traceparent: str | None = None

    @property
    def held_bytes(self) -> int:
        """Memory that it takes until it is sent."""
        return len(self.request) + len(self.response) + _OVERHEAD_BYTES


def sampled(request_id: str, share: float) -> bool:
    """Whether an inference belongs to the sample.

    A hash of the request's id decides, not chance: of a request that went to two slots both have it or neither, and
    pairs do not get rarer with the square of the share.
    """
    if share >= 1:
        return True
    digest = blake2b(request_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


def batch(inferences: Iterable[tuple[str, Inference]], settings: CaptureSettings) -> bytes:
    """The body of one delivery, with the request before its response.

    It is put together from pieces of JSON rather than from objects: this runs beside the predictions, for every one of
    them, and would otherwise cost them a tenth of their rate.

    Args:
        inferences: each with its id, of letters, digits and hyphens, which both of its events get, as KServe's logger
            does it.
        settings: whose inferences they are.
    """
    return b"[%b]" % b",".join(event for id_, inference in inferences for event in _events(id_, inference, settings))


def _events(id_: str, inference: Inference, settings: CaptureSettings) -> tuple[bytes, bytes]:
    metadata = orjson.dumps(orjson.dumps({"X-Request-Id": [inference.request_id]}).decode())
    head = _head(settings, inference.version, inference.digest)
    # https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/extensions/distributed-tracing.md
    trace = b"" if inference.traceparent is None else b'"traceparent":"%b",' % inference.traceparent.encode()
    both = b'%b,"id":"%b","metadata":%b,%b"type":"org.kubeflow.serving.inference.' % (
        head,
        id_.encode(),
        metadata,
        trace,
    )
    # Only what the model has answered is known to be JSON. What was refused goes as it came.
    readable = inference.status == HTTPStatus.OK and not inference.binary_request
    request = b'%brequest","time":"%b","status":"%d","datacontenttype":"%b",%b}' % (
        both,
        _timestamp(inference.started),
        inference.status,
        _BINARY if inference.binary_request else _JSON,
        _data(inference.request, readable=readable),
    )
    response = b'%bresponse","time":"%b","status":"%d","datacontenttype":"%b",%b}' % (
        both,
        _timestamp(inference.ended),
        inference.status,
        _BINARY if inference.binary_response else _JSON,
        _data(inference.response, readable=not inference.binary_response),
    )
    return request, response


@lru_cache(maxsize=4)
def _head(settings: CaptureSettings, version: str, digest: str | None) -> bytes:
    """What all events of a version begin with."""
    attributes = {
        "specversion": "1.0",
        "source": f"/{settings.namespace}/{settings.inferenceservice}",
        "inferenceservicename": settings.inferenceservice,
        "namespace": settings.namespace,
        "component": "predictor",
        "endpoint": version,
        "modelversion": version,
    }
    return orjson.dumps(attributes | ({} if digest is None else {"bundledigest": digest}))[:-1]


def _data(body: bytes, *, readable: bool) -> bytes:
    return b'"data":%b' % body if readable else b'"data_base64":"%b"' % b64encode(body)


def _timestamp(seconds: float) -> bytes:
    whole, microseconds = divmod(round(seconds * 1_000_000), 1_000_000)
    return b"%b.%06dZ" % (_second(whole), microseconds)


@lru_cache(maxsize=16)
def _second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
