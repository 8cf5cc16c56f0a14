"""Attributes of the events of an inference: CloudEvents 1.0, as KServe's logger and Leeway's server send them.

The logger sends one event per request, its attributes as headers (binary mode); the server sends batches, JSON arrays
of events. Whoever reaches the sink can write these attributes, and some of them become metric labels: every value is
checked against the pattern of what Kubernetes and Leeway would put there.
"""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_VISIBLE = re.compile(r"[!-~]{1,128}")
_PLAIN_METADATA = re.compile(r'\{"X-Request-Id":\["([!#-\[\]-~]{1,128})"\]\}')  # as it is sent, without escapes
# https://www.w3.org/TR/trace-context-2/#traceparent-header, of a span that is recorded
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f][13579bdf]")
_SLOTS = ("-a", "-b")
_OF_ORIGIN = {
    prefix: tuple(prefix + name for name in ("specversion", "type", "inferenceservicename", "namespace", "endpoint"))
    for prefix in ("ce-", "")
}
_EXPECTED = {
    "ce-": "a CloudEvent in HTTP binary mode from KServe's logger",
    "": "a CloudEvent of a batch from Leeway's server",
}


class MalformedEvent(ValueError):  # noqa: N818 - it says what the event is, which is what callers ask
    """The headers are not those of a logger event; the message names the attribute and what was expected."""


class Kind(StrEnum):
    """Which half of an inference an event carries."""

    REQUEST = "request"
    RESPONSE = "response"


_KINDS = {f"org.kubeflow.serving.inference.{kind}": kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Stream:
    """What is watched as one: a version of a model in a namespace, in whichever slot it runs."""

    namespace: str
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event without its body.

    Attributes:
        stream: where the rows belong.
        inferenceservice: the InferenceService's name, ``<model>-<slot>`` under a ModelRollout.
        kind: request or response.
        id: chosen by the logger, the same for the request and the response of one inference.
        time: when the logger saw it.
        request_id: ``x-request-id`` of the inference; None if the logger does not record it or the client sent
            something that is no id (over 128 characters, or not visible ASCII).
        answered: whether the inference was answered with 200. The logger, which knows no status, sends responses of
            such alone, and requests of all: None for them.
        traceparent: the inference's span, as CloudEvents' extension for distributed tracing has it; None if it is not
            traced, or the value is none.
    """

    stream: Stream
    inferenceservice: str
    kind: Kind
    id: str
    time: datetime
    request_id: str | None
    answered: bool | None = True
    traceparent: str | None = None

    @property
    def inference(self) -> tuple[str, str, str]:
        """What the request and the response of one inference have in common."""
        return self.stream.namespace, self.inferenceservice, self.id

    @property
    def slot(self) -> str:
        """``a`` or ``b`` under a ModelRollout, else empty."""
        return self.inferenceservice[len(self.stream.model) + 1 :]

    @property
    def key(self) -> bytes:
        """What identifies the event. Not CloudEvents' (source, id): KServe gives both halves of an inference one."""
        parts = (*self.inference, self.kind)
        return blake2b("\0".join(parts).encode(), digest_size=16).digest()


def parse_envelope(headers: Mapping[str, str]) -> Envelope:
    """Read an event's attributes from the headers of its request (binary mode).

    Args:
        headers: by lower-case name.

    Raises:
        MalformedEvent: an attribute is missing or not what KServe sends.
    """
    return _envelope(headers, "ce-")


def parse_event(event: object) -> tuple[Envelope, object]:
    """Read one event of a batch: its attributes, and its body.

    Args:
        event: an element of the JSON array.

    Returns:
        The attributes; bytes for an event with ``data_base64``, else what the parser has made of ``data``.

    Raises:
        MalformedEvent: it is no object, an attribute is missing or not what the server sends, or its ``data_base64``
            is no base64.
    """
    if not isinstance(event, dict):
        raise MalformedEvent(f"event: {event!r:.80}, expected a JSON object")
    envelope = _envelope(event, "")
    encoded = event.get("data_base64")
    if encoded is None:
        return envelope, event.get("data")
    try:
        return envelope, b64decode(encoded, validate=True)
    except (TypeError, ValueError) as error:
        raise MalformedEvent(f"data_base64: {encoded!r:.80}, expected base64") from error


def _envelope(attributes: Mapping[str, object], prefix: str) -> Envelope:
    try:
        origin = _origin(prefix, *map(attributes.get, _OF_ORIGIN[prefix]))
    except TypeError as error:  # a list or an object, which cannot be looked up
        raise MalformedEvent(f"{', '.join(_OF_ORIGIN[prefix])}: expected strings") from error
    return Envelope(
        stream=origin.stream,
        inferenceservice=origin.inferenceservice,
        kind=origin.kind,
        id=_matching(prefix, "id", _required(attributes, prefix, "id"), _VISIBLE, "1 to 128 visible ASCII characters"),
        time=_time(prefix, _required(attributes, prefix, "time")),
        request_id=_request_id(prefix, attributes.get(prefix + "metadata") or "{}"),
        answered=_answered(origin.kind, attributes.get(prefix + "status")),
        traceparent=_traceparent(attributes.get(prefix + "traceparent")),
    )


def _answered(kind: Kind, status: object) -> bool | None:
    if status is None:
        return True if kind is Kind.RESPONSE else None
    return status == "200"


def _traceparent(value: object) -> str | None:
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


class _Origin(NamedTuple):
    stream: Stream
    inferenceservice: str
    kind: Kind


@lru_cache(maxsize=1024)
def _origin(prefix: str, *values: object) -> _Origin:
    """What thousands of events have in common, read once: one object per stream, and only good names are kept."""
    attributes = dict(zip(_OF_ORIGIN[prefix], values, strict=True))
    specversion, event_type, inferenceservice, namespace, version = (
        _required(attributes, prefix, name.removeprefix(prefix)) for name in attributes
    )
    if specversion != "1.0":
        raise MalformedEvent(f"{prefix}specversion: {specversion!r:.80}, expected '1.0'")
    kind = _KINDS.get(event_type)
    if kind is None:
        raise MalformedEvent(f"{prefix}type: {event_type!r:.80}, expected one of {', '.join(_KINDS)}")
    _matching(prefix, "inferenceservicename", inferenceservice, _DNS_LABEL, "the name of an InferenceService")
    _matching(prefix, "namespace", namespace, _DNS_LABEL, "the name of a namespace")
    _matching(prefix, "endpoint", version, _VERSION, "the model's version, from the pod label 'endpoint'")
    model = inferenceservice[:-2] if inferenceservice.endswith(_SLOTS) else inferenceservice
    return _Origin(Stream(namespace, model, version), inferenceservice, kind)


def _required(attributes: Mapping[str, object], prefix: str, attribute: str) -> str:
    value = attributes.get(prefix + attribute)
    if not isinstance(value, str) or not value:
        raise MalformedEvent(f"{prefix}{attribute}: missing, expected {_EXPECTED[prefix]}")
    return value


def _matching(prefix: str, attribute: str, value: str, pattern: re.Pattern[str], expected: str) -> str:
    if not pattern.fullmatch(value):
        raise MalformedEvent(f"{prefix}{attribute}: {value!r:.80}, expected {expected} ({pattern.pattern})")
    return value


def _time(prefix: str, value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise MalformedEvent(f"{prefix}time: {value!r:.80}, expected an RFC 3339 time with its offset")
    return time


def _request_id(prefix: str, metadata: object) -> str | None:
    if isinstance(metadata, str) and (plain := _PLAIN_METADATA.fullmatch(metadata)):
        return plain[1]
    try:
        recorded = json.loads(metadata) if isinstance(metadata, str) else None
    except (ValueError, RecursionError):
        recorded = None
    if not isinstance(recorded, dict):
        raise MalformedEvent(f"{prefix}metadata: {metadata!r:.80}, expected a JSON object of header names to values")
    match recorded.get("X-Request-Id"):
        case [str(request_id), *_] if _VISIBLE.fullmatch(request_id):
            return request_id
        case _:
            return None
