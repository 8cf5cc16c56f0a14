"""The KServe V1 protocol, and the plain JSON of `/api/v1/predict` for people who know neither protocol."""

from typing import Any

import orjson

from leeway_serving.errors import malformed
from leeway_serving.protocol.rows import decode_rows, encode_rows
from leeway_serving.protocol.tensors import json_type
from leeway_serving.signature import Signature, Tensors

V1_FIELD = "instances"
PLAIN_FIELD = "rows"


def parse_object(body: bytes) -> dict[str, Any]:
    """The body's JSON object.

    Raises:
        RequestError: 400, when the body is not JSON or not an object.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(f"the body is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise malformed(f"the body is {json_type(parsed)}; a JSON object was expected")
    return parsed


def decode(body: bytes, signature: Signature, *, field: str, max_rows: int) -> tuple[Tensors, int]:
    """The tensors of `{"<field>": [rows]}` and the number of rows.

    Raises:
        RequestError: 400 or 413, saying what, where, and what was expected.
    """
    request = parse_object(body)
    if field not in request:
        raise malformed(f"'{field}' is missing; expected is {{\"{field}\": [row, …]}}")
    rows = request[field]
    return decode_rows(rows, signature, field=field, max_rows=max_rows), len(rows)


def encode(outputs: Tensors, rows: int, **others: str) -> bytes:
    """`{"predictions": [one per row]}` with `others` in front."""
    return orjson.dumps({**others, "predictions": encode_rows(outputs, rows)}, option=orjson.OPT_SERIALIZE_NUMPY)
