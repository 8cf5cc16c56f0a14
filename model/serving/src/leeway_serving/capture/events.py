"""Inferences as CloudEvents 1.0 in JSON batches, with the types and attributes of KServe's own logger."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import orjson

from leeway_serving.capture.settings import CaptureSettings

BATCH_MEDIA_TYPE = "application/cloudevents-batch+json"
EVENTS_PER_INFERENCE = 2
_TYPE = "org.kubeflow.serving.inference."
_JSON = "application/json"
_BINARY = "application/octet-stream"
_OVERHEAD_BYTES = 2048
"""What attributes and objects of an inference's two events take beside its bodies, generously."""


@dataclass(frozen=True, slots=True)
class Inference:
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

    Args:
        inferences: each with its id, which both of its events get, as KServe's logger does it.
        settings: whose inferences they are.
    """
    common = {
        "specversion": "1.0",
        "source": f"/{settings.namespace}/{settings.inferenceservice}",
        "inferenceservicename": settings.inferenceservice,
        "namespace": settings.namespace,
        "component": "predictor",
    }
    return orjson.dumps([event for id_, inference in inferences for event in _events(id_, inference, common)])


def _events(id_: str, inference: Inference, common: dict[str, str]) -> Iterator[dict[str, Any]]:
    metadata = orjson.dumps({"X-Request-Id": [inference.request_id]}).decode()
    both = common | {"id": id_, "endpoint": inference.version, "modelversion": inference.version, "metadata": metadata}
    if inference.digest is not None:
        both["bundledigest"] = inference.digest
    # Only what the model has answered is known to be JSON. What was refused goes as it came.
    readable = inference.status == HTTPStatus.OK and not inference.binary_request
    yield both | {
        "type": _TYPE + "request",
        "time": _timestamp(inference.started),
        "datacontenttype": _BINARY if inference.binary_request else _JSON,
        **_data(inference.request, readable=readable),
    }
    yield both | {
        "type": _TYPE + "response",
        "time": _timestamp(inference.ended),
        "status": str(inference.status),
        "datacontenttype": _BINARY if inference.binary_response else _JSON,
        **_data(inference.response, readable=not inference.binary_response),
    }


def _data(body: bytes, *, readable: bool) -> dict[str, Any]:
    if readable:
        return {"data": orjson.Fragment(body)}  # into the batch as it is, neither parsed nor written again
    return {"data_base64": b64encode(body).decode()}


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
