"""Attributes of the events that KServe's logger sends: CloudEvents 1.0 in HTTP binary mode, attributes as headers.

Whoever reaches the sink can write these headers, and some of them become metric labels: every value is checked
against the pattern of what Kubernetes and Leeway would put there.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_VISIBLE = re.compile(r"[!-~]{1,128}")
_SLOTS = ("-a", "-b")


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
    """

    stream: Stream
    inferenceservice: str
    kind: Kind
    id: str
    time: datetime
    request_id: str | None

    @property
    def key(self) -> tuple[str, str, str, Kind]:
        """What identifies the event. Not CloudEvents' (source, id): KServe gives both halves of an inference one."""
        return self.stream.namespace, self.inferenceservice, self.id, self.kind


def parse_envelope(headers: Mapping[str, str]) -> Envelope:
    """Read an event's attributes.

    Args:
        headers: by lower-case name.

    Raises:
        MalformedEvent: an attribute is missing or not what KServe sends.
    """
    if (specversion := _required(headers, "specversion")) != "1.0":
        raise MalformedEvent(f"ce-specversion: {specversion!r:.80}, expected '1.0'")
    kind = _KINDS.get(event_type := _required(headers, "type"))
    if kind is None:
        raise MalformedEvent(f"ce-type: {event_type!r:.80}, expected one of {', '.join(_KINDS)}")
    inferenceservice = _matching(headers, "inferenceservicename", _DNS_LABEL, "the name of an InferenceService")
    namespace = _matching(headers, "namespace", _DNS_LABEL, "the name of a namespace")
    version = _matching(headers, "endpoint", _VERSION, "the model's version, from the pod label 'endpoint'")
    model = inferenceservice[:-2] if inferenceservice.endswith(_SLOTS) else inferenceservice
    return Envelope(
        stream=Stream(namespace, model, version),
        inferenceservice=inferenceservice,
        kind=kind,
        id=_matching(headers, "id", _VISIBLE, "1 to 128 visible ASCII characters"),
        time=_time(_required(headers, "time")),
        request_id=_request_id(headers.get("ce-metadata", "{}")),
    )


def _required(headers: Mapping[str, str], attribute: str) -> str:
    value = headers.get(f"ce-{attribute}", "")
    if not value:
        raise MalformedEvent(f"ce-{attribute}: missing, expected a CloudEvent in HTTP binary mode from KServe's logger")
    return value


def _matching(headers: Mapping[str, str], attribute: str, pattern: re.Pattern[str], expected: str) -> str:
    value = _required(headers, attribute)
    if not pattern.fullmatch(value):
        raise MalformedEvent(f"ce-{attribute}: {value!r:.80}, expected {expected} ({pattern.pattern})")
    return value


def _time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise MalformedEvent(f"ce-time: {value!r:.80}, expected an RFC 3339 time with its offset")
    return time


def _request_id(metadata: str) -> str | None:
    try:
        recorded = json.loads(metadata)
    except (ValueError, RecursionError):
        recorded = None
    if not isinstance(recorded, dict):
        raise MalformedEvent(f"ce-metadata: {metadata!r:.80}, expected a JSON object of header names to values")
    match recorded.get("X-Request-Id"):
        case [str(request_id), *_] if _VISIBLE.fullmatch(request_id):
            return request_id
        case _:
            return None
