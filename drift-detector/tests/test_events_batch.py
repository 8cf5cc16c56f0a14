"""An event of a batch is JSON that anyone may have written: it is read, or refused by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.reading.events import MalformedEvent, parse_event

GOOD = {
    "specversion": "1.0",
    "type": "org.kubeflow.serving.inference.request",
    "id": "1",
    "namespace": "models",
    "inferenceservicename": "flights-a",
    "endpoint": "1.0.0",
    "time": "2026-03-02T09:15:01Z",
    "metadata": '{"X-Request-Id":["r-1"]}',
}
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=2), SCALARS, max_size=2))


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*GOOD, "status", "data_base64"], VALUES)))
def test_no_value_does_more_than_make_an_event_malformed(overrides: dict[str, Any]):
    try:
        envelope, _ = parse_event({**GOOD, **overrides})
    except MalformedEvent:
        return
    assert envelope.stream.namespace == "models"


@pytest.mark.parametrize("attribute", sorted(GOOD.keys() - {"metadata"}))
@pytest.mark.parametrize("value", [["1.0"], {}, 1.0, True, None, ""])
def test_an_attribute_that_is_no_text_is_named(attribute: str, value: object):
    parse_event(GOOD)  # what was good before is remembered, and must not let this one pass
    with pytest.raises(MalformedEvent, match=attribute):
        parse_event({**GOOD, attribute: value})


@pytest.mark.parametrize(
    ("metadata", "request_id"),
    [
        ('{"X-Request-Id":["r-1"]}', "r-1"),
        ('{"X-Request-Id": ["r-1", "r-2"], "Other": []}', "r-1"),
        ('{"X-Request-Id":["r\\u002d1"]}', "r-1"),
        ('{"X-Request-Id":["r\\"1"]}', 'r"1'),
        ('{"X-Request-Id":["' + "x" * 129 + '"]}', None),
        ('{"X-Request-Id":["a b"]}', None),
        ('{"X-Request-Id":[""]}', None),
        ("{}", None),
    ],
)
def test_the_request_id_is_read_however_it_is_written(metadata: str, request_id: str | None):
    envelope, _ = parse_event({**GOOD, "metadata": metadata})
    assert envelope.request_id == request_id
