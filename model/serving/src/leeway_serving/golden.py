"""The requests whose answers are known: a model that answers them differently here is not the one that was released."""

import math
from typing import Any

import orjson

from leeway_serving.errors import ModelError, RequestError
from leeway_serving.model import Model
from leeway_serving.protocol import v2
from leeway_serving.signature import Signature

MINIMUM_CASES = 16


def check_golden(content: bytes, model: Model, signature: Signature, *, max_rows: int) -> int:
    """Sends every case of `golden.json` (schema: `schemas/golden.schema.json`) through decoding, model and encoding.

    Returns:
        The number of cases.

    Raises:
        ModelError: naming the first case that is refused or answered differently, or when the file has too few cases.
    """
    try:
        golden = orjson.loads(content)
        tolerance = float(golden["tolerance"]["absolute"])
        cases = [(case["request"], {o["name"]: o for o in case["expected"]["outputs"]}) for case in golden["cases"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"golden.json is not as its schema says: {error!r}") from None
    if len(cases) < MINIMUM_CASES:
        raise ModelError(f"golden.json has {len(cases)} cases; at least {MINIMUM_CASES} were expected")
    for index, (request, expected) in enumerate(cases):
        try:
            decoded = v2.decode(orjson.dumps(request), signature, max_rows=max_rows)
        except RequestError as error:
            raise ModelError(f"golden case {index} is refused: {error}") from None
        if unknown := expected.keys() - set(signature.output_names):
            raise ModelError(
                f"golden case {index} expects outputs that the model has not: {', '.join(sorted(unknown))}"
            )
        outputs = model.predict(decoded.tensors, tuple(expected))
        answer = orjson.loads(v2.encode(outputs, model="", version="", request_id="").body)
        for output in answer["outputs"]:
            _compare(f"golden case {index}, output '{output['name']}'", output, expected[output["name"]], tolerance)
    return len(cases)


def _compare(where: str, actual: dict[str, Any], expected: dict[str, Any], tolerance: float) -> None:
    for key in ("datatype", "shape"):
        if actual[key] != expected[key]:
            raise ModelError(f"{where}: {key} is {actual[key]}; {expected[key]} was expected")
    if len(actual["data"]) != len(expected["data"]):
        raise ModelError(f"{where}: {len(actual['data'])} values; {len(expected['data'])} were expected")
    for got, wanted in zip(actual["data"], expected["data"], strict=True):
        near = isinstance(got, float) and isinstance(wanted, int | float) and math.fabs(got - wanted) <= tolerance
        if got != wanted and not near:
            raise ModelError(f"{where}: answered {got}; {wanted} ± {tolerance} was expected")
