"""The OpenAPI document of one model: its features by name, type and seen values, for every protocol."""

from typing import Any

import orjson

from leeway_serving.signature import FLOATS, INTEGERS, Input, Signature

_LENGTH_HEADER = "Inference-Header-Content-Length"
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def document(*, model: str, version: str, signature: Signature) -> bytes:
    """The document as JSON (OpenAPI 3.1)."""
    row = {
        "type": "object",
        "properties": {i.name: _value(i) for i in signature.inputs},
        "required": [i.name for i in signature.inputs],
        "additionalProperties": False,
    }
    as_list = {
        "type": "array",
        "prefixItems": [_value(i) for i in signature.inputs],
        "minItems": len(signature.inputs),
        "maxItems": len(signature.inputs),
    }
    if len(signature.inputs) == 1 and not signature.inputs[0].scalar:
        as_list = _value(signature.inputs[0])
    paths = {
        "/api/v1/predict": _post(
            "Predict from rows",
            _rows("rows", row),
            _predictions({"model": {"type": "string"}, "version": {"type": "string"}}),
        ),
        f"/v1/models/{model}:predict": _post(
            "Predict (KServe V1)", _rows("instances", {"oneOf": [row, as_list]}), _predictions({})
        ),
        f"/v2/models/{model}/infer": _with_binary(
            _post(
                "Infer (Open Inference Protocol V2)",
                _v2_request(signature),
                {"$ref": "#/components/schemas/V2Response"},
            )
        ),
        f"/v2/models/{model}": _get("Metadata of the model"),
        f"/v2/models/{model}/ready": _get("Whether the model is ready"),
        "/v2/health/ready": _get("Whether the server is ready"),
        "/v2/health/live": _get("Whether the server is alive"),
        "/api/v1/health": _get("Whether predictions can be asked for"),
    }
    components = {"schemas": {"Error": _ERROR, "V2Response": _v2_response()}}
    info = {"title": f"Model {model}", "version": version}
    return orjson.dumps({"openapi": "3.1.0", "info": info, "paths": paths, "components": components})


def _value(spec: Input) -> dict[str, Any]:
    """One row of the input; ranges and categories are what training saw and no limits, so they are examples."""
    if not spec.scalar:
        schema = {"type": "array", "items": _value(Input(spec.name, spec.datatype, spec.row_shape[1:]))}
        return schema | (
            {} if spec.row_shape[0] == -1 else {"minItems": spec.row_shape[0], "maxItems": spec.row_shape[0]}
        )
    kind = {"BOOL": "boolean", "BYTES": "string"}.get(
        spec.datatype, "integer" if spec.datatype in INTEGERS else "number"
    )
    schema = {"type": [kind, "null"] if spec.nullable else kind}
    if spec.datatype in FLOATS:
        schema["format"] = "float" if spec.datatype == "FP32" else "double"
    if spec.categories:
        schema["examples"] = list(spec.categories)
    if spec.minimum is not None and spec.maximum is not None:
        schema["description"] = f"Seen in training: {spec.minimum} to {spec.maximum}."
    return schema


def _rows(field: str, row: dict[str, Any]) -> dict[str, Any]:
    rows = {"type": "array", "minItems": 1, "items": row}
    return {"type": "object", "required": [field], "properties": {field: rows}}


def _predictions(others: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {**others, "predictions": {"type": "array", "description": "One per row."}}}


def _v2_request(signature: Signature) -> dict[str, Any]:
    tensors = [
        {
            "type": "object",
            "required": ["name", "datatype", "shape", "data"],
            "properties": {
                "name": {"const": i.name},
                "datatype": {"enum": sorted(i.accepts)},
                "shape": {"type": "array", "items": {"type": "integer"}, "examples": [[1, *i.row_shape]]},
                "data": {"type": "array"},
            },
        }
        for i in signature.inputs
    ]
    inputs = {"type": "array", "minItems": len(tensors), "maxItems": len(tensors), "items": {"oneOf": tensors}}
    return {"type": "object", "required": ["inputs"], "properties": {"id": {"type": "string"}, "inputs": inputs}}


def _v2_response() -> dict[str, Any]:
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "datatype": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "data": {"type": "array"},
        },
    }
    text = {"type": "string"}
    properties = {"model_name": text, "model_version": text, "id": text, "outputs": {"type": "array", "items": tensor}}
    return {"type": "object", "properties": properties}


def _post(summary: str, request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": request}}}
    return {"post": {"summary": summary, "requestBody": body, "responses": _responses({"schema": response})}}


def _with_binary(path: dict[str, Any]) -> dict[str, Any]:
    """The same with binary tensors behind the JSON, whose length a header tells, in both directions."""
    length = {"schema": {"type": "integer"}, "description": "Bytes of JSON in front of binary tensors."}
    post = path["post"]
    post["parameters"] = [{"name": _LENGTH_HEADER, "in": "header", **length}]
    binary = {
        "application/octet-stream": {
            "schema": {"description": "JSON with binary_data_size in place of data, and the tensors behind it."}
        }
    }
    post["requestBody"]["content"] |= binary
    post["responses"]["200"]["content"] |= binary
    post["responses"]["200"]["headers"] = {_LENGTH_HEADER: length}
    return path


def _get(summary: str) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": _responses({})}}


def _responses(content: dict[str, Any]) -> dict[str, Any]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "200": {"description": "The answer", "content": {"application/json": content}},
        "default": {"description": "What is wrong, where, and what was expected", "content": error},
    }
