"""What a request says of the trace that it belongs to: `traceparent` of W3C Trace Context, and nothing else.

Anybody can send that header. So one that cannot be read is as none, `tracestate` and baggage are not read at all, and
a trace is never recorded merely because a client asks for it.
https://www.w3.org/TR/trace-context-2/#traceparent-header
"""

import re
from typing import NamedTuple

_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED = 1


class Parent(NamedTuple):
    """The span that a request was sent from.

    Attributes:
        trace_id: of its trace, not 0.
        span_id: its own, not 0.
        sampled: whether whoever sent it records the trace.
    """

    trace_id: int
    span_id: int
    sampled: bool


def parent_of(traceparent: bytes | None) -> Parent | None:
    """Reads the header; None without one, and for one that is not as the recommendation wants it."""
    found = None if traceparent is None else _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == b"ff" or (version == b"00" and rest is not None):  # a later version may have more to say
        return None
    parent = Parent(int(trace_id, 16), int(span_id, 16), bool(int(flags, 16) & _SAMPLED))
    return parent if parent.trace_id and parent.span_id else None


def is_traced(parent: Parent | None, drawn: float, ratio: float) -> bool:
    """Whether to record a request.

    A sender that does not record its trace is followed. One that does is counted as any other request: chance decides,
    and not the trace's id, which the sender chooses.

    Args:
        parent: what the request says.
        drawn: at random, of [0, 1).
        ratio: share of the requests that are recorded.
    """
    return (parent is None or parent.sampled) and drawn < ratio
