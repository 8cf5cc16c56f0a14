"""Rows, as objects by feature name or as lists in order, to tensors; and tensors back to one answer per row."""

from typing import Any

from leeway_serving.errors import malformed
from leeway_serving.protocol.tensors import Column, build, check_rows, flatten, json_type, quoted
from leeway_serving.signature import Input, Signature, Tensors


def decode_rows(rows: Any, signature: Signature, *, field: str, max_rows: int) -> Tensors:
    """Turns the JSON list `rows` into one tensor per input.

    Args:
        rows: each an object with exactly the inputs' names, or a list in the order of the inputs; a model with one
            input of more than one value a row takes that tensor's row as the list.
        signature: the model's.
        field: what the list is called in the request.
        max_rows: limit on their number.

    Raises:
        RequestError: 400 or 413, naming the row and what was expected of it.
    """
    if not isinstance(rows, list):
        raise malformed(f"'{field}' is {json_type(rows)}; a list of rows was expected")
    check_rows(len(rows), max_rows)
    inputs = signature.inputs
    if isinstance(rows[0], dict):
        columns = _from_objects(rows, signature)
    elif isinstance(rows[0], list) and len(inputs) == 1 and not inputs[0].scalar:
        columns = [rows]
    else:
        columns = _from_lists(rows, inputs)
    return build([_column(i, values, len(rows)) for i, values in zip(inputs, columns, strict=True)])


def encode_rows(outputs: Tensors, rows: int) -> list[Any]:
    """One answer per row: the value itself if the model has one output, else an object by output name.

    Floats stay numpy's, for `orjson.OPT_SERIALIZE_NUMPY`. Outputs of shape `[n,1]` become plain values.

    Raises:
        RequestError: 400, when an output has not one value per row and only V2 can carry it.
    """
    columns = []
    for name, array in outputs.items():
        if array.ndim == 0 or array.shape[0] != rows:
            raise malformed(
                f"output '{name}' of this model has shape {list(array.shape)}, not one per row; use the V2 protocol"
            )
        values = array[:, 0] if array.shape[1:] == (1,) else array
        # A float32 that becomes a Python float would be written with the digits of a float64.
        columns.append(list(values) if values.dtype.kind == "f" else values.tolist())
    if len(columns) == 1:
        return columns[0]
    names = list(outputs)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _from_objects(rows: list[Any], signature: Signature) -> list[list[Any]]:
    names = signature.names
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise malformed(f"row {index} is {json_type(row)}; an object was expected, as in row 0")
        if row.keys() != names:
            missing, unknown = sorted(names - row.keys()), sorted(row.keys() - names)
            problems = [f"input {quoted(missing)} is missing"] if missing else []
            problems += [f"input {quoted(unknown)} is unknown to the model"] if unknown else []
            raise malformed(
                f"row {index}: {' and '.join(problems)}; expected are {quoted(i.name for i in signature.inputs)}"
            )
    return [[row[i.name] for row in rows] for i in signature.inputs]


def _from_lists(rows: list[Any], inputs: tuple[Input, ...]) -> list[list[Any]]:
    width = len(inputs)
    for index, row in enumerate(rows):
        if not isinstance(row, list):
            raise malformed(
                f"row {index} is {json_type(row)}; an object by input name or a list of {width} values was expected"
            )
        if len(row) != width:
            raise malformed(
                f"row {index} has {len(row)} values; {width} were expected: {quoted(i.name for i in inputs)}"
            )
    return [list(values) for values in zip(*rows, strict=True)]


def _column(spec: Input, values: list[Any], rows: int) -> Column:
    if spec.rows not in (None, rows):
        raise malformed(f"the request has {rows} rows; this model takes exactly {spec.rows}")
    if spec.scalar:
        return Column(spec, (rows, *spec.row_shape), values)
    flat, shape = flatten(values, (rows, *spec.row_shape), f"input '{spec.name}'")
    return Column(spec, shape, flat)
