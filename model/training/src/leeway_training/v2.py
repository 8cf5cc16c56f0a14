"""Rows as Open Inference Protocol V2 JSON bodies, exactly as a client sends them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

_DATATYPES = {"f": "FP32", "i": "INT64", "O": "BYTES"}


def datatype(values: npt.NDArray[np.generic]) -> str:
    """Name the V2 datatype of an array of float32, int64 or str objects."""
    return _DATATYPES[values.dtype.kind]


def json_values(values: npt.NDArray[np.generic]) -> list[Any]:
    """Turn an array into JSON values: the shortest decimal that reads back as the same float32, null for NaN."""
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [None if np.isnan(value) else float(str(value)) for value in values.astype(np.float32)]


def tensor(name: str, values: npt.NDArray[np.generic]) -> dict[str, Any]:
    """Write one tensor, its data flat in row-major order."""
    return {
        "name": name,
        "datatype": datatype(values),
        "shape": list(values.shape),
        "data": json_values(values.reshape(-1)),
    }


def request(features: pd.DataFrame) -> dict[str, Any]:
    """Write the request for some rows: one tensor ``[n, 1]`` per feature."""
    return {"inputs": [tensor(str(name), features[name].to_numpy().reshape(-1, 1)) for name in features]}


def features_of(body: dict[str, Any]) -> pd.DataFrame:
    """Read the rows of a request back, as a server does: null is NaN, numbers are cast to float32."""
    kinds = {"FP32": np.float32, "BYTES": object}
    return pd.DataFrame(
        {part["name"]: np.array(part["data"], dtype=kinds[part["datatype"]]) for part in body["inputs"]}
    )
