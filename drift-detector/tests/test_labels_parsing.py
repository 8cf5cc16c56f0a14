import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.labels.feedback import (
    MAX_ITEMS,
    Invalid,
    Label,
    UnreadableFeedback,
    UnsupportedMediaType,
    read_feedback,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ITEM: dict[str, Any] = {"id": "r1", "model": "flights", "label": 1}
LABEL = Label("flights", None, "r1", None, 0, 1.0, None)


def read(body: str | bytes, content_type: str = "application/json") -> tuple[Label | Invalid, ...]:
    return read_feedback(body.encode() if isinstance(body, str) else body, content_type, NOW).items


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps(ITEM), "application/json; charset=utf-8"),
        (json.dumps(ITEM), ""),
        (json.dumps([ITEM]), "application/json"),
        (json.dumps(ITEM) + "\n\n", "application/x-ndjson"),
        ("id,model,label\r\nr1,flights,1\r\n", "text/csv"),
        ("\ufefflabel, model ,id,observed_at\n1.0,flights,r1,\n\n", "text/csv"),
    ],
)
def test_one_label_reads_alike_in_every_format(body: str, content_type: str):
    assert read(body, content_type) == (LABEL,)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"label": float("nan")}, "label: nan, expected a finite number"),
        ({"label": 10**400}, "label: 1000"),
        ({"label": True}, "label: True, expected a finite number"),
        ({"label": "late"}, "label: 'late', expected a finite number"),
        ({"label": None}, "label: None, expected a finite number"),
        ({"id": ""}, "id: '', expected text of 1 to 256"),
        ({"id": "a\x00b"}, "id: 'a\\x00b', expected text of 1 to 256 printable"),
        ({"id": None}, "id: missing, expected the id of a response"),
        ({"model": "No Such"}, "model: 'No Such', expected the name of a model"),
        ({"namespace": "../x"}, "namespace: '../x', expected the name of a namespace"),
        ({"row": -1}, "row: -1, expected an integer from 0 on"),
        ({"row": 2**63}, "row: 9223372036854775808, expected an integer"),
        ({"row": True}, "row: True, expected an integer"),
        ({"entity": [1]}, "entity: [1], expected a number, or text"),
        ({"observed_at": "2026-03-02T09:00:00"}, "observed_at: '2026-03-02T09:00:00', expected an RFC 3339 time with"),
        ({"observed_at": "0001-01-01T00:00:00+14:00"}, "from 1970 on"),
        ({"observed_at": "2026-03-03T09:00:00Z"}, "lies in the future; it is 2026-03-02T09:00:00+00:00 here"),
        ({"lable": 1}, "'lable': no such field, expected id, entity, model"),
    ],
)
def test_what_is_no_label_is_named(changed: dict[str, Any], reason: str):
    [item] = read(json.dumps(ITEM | changed))
    assert isinstance(item, Invalid)
    assert reason in item.reason


def test_a_bad_item_spoils_no_other():
    body = json.dumps(ITEM) + '\n{"id":\n[1]\n' + json.dumps(ITEM)
    first, broken, no_object, last = read(body, "application/x-ndjson")
    assert first == last == LABEL
    assert isinstance(broken, Invalid)
    assert isinstance(no_object, Invalid)
    assert "expected JSON" in broken.reason
    assert "expected an object" in no_object.reason


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"\xff", "application/json", "byte 0 is not UTF-8"),
        (b"[" * 100_000, "application/json", "expected JSON"),
        (b"7", "application/json", "expected a JSON object or a list"),
        (b"id,model\nr1,flights\n", "text/csv", "expected the columns model and label"),
        (b"id,model,label,label\n", "text/csv", "each column once"),
        (b"id,model,label,x\n", "text/csv", "column 'x', expected some of id, entity"),
        (b'id,model,label\n"r1,flights,1', "text/csv", "CSV line 2"),
        (b"[" + b"{}," * MAX_ITEMS + b"{}]", "application/json", f"more than {MAX_ITEMS} items"),
    ],
)
def test_a_body_that_cannot_be_read_says_where(body: bytes, content_type: str, message: str):
    with pytest.raises(UnreadableFeedback, match=message):
        read(body, content_type)


def test_other_formats_are_refused_by_name():
    with pytest.raises(UnsupportedMediaType, match="'application/xml', expected one of application/json"):
        read(b"<label/>", "application/xml")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*ITEM, "row", "entity", "observed_at", "x"]), inner)
    ),
)


@given(JSON)
def test_no_json_is_more_than_refused(document: object):
    """Anything but a label or a reason would be a fault of ours, and a 500."""
    try:
        items = read(json.dumps(document))
    except UnreadableFeedback:
        return
    assert all(isinstance(item, Label | Invalid) for item in items)


@given(st.binary(max_size=300), st.sampled_from(["application/json", "application/x-ndjson", "text/csv"]))
def test_no_bytes_are_more_than_refused(body: bytes, content_type: str):
    try:
        items = read(body, content_type)
    except UnreadableFeedback:
        return
    assert all(isinstance(item, Label | Invalid) for item in items)
