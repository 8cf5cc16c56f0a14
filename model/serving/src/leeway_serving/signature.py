"""What goes into a model and what comes out, in the words of the Open Inference Protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

NUMPY_TYPES: Mapping[str, type[np.generic]] = MappingProxyType(
    {
        "BOOL": np.bool_,
        "INT8": np.int8,
        "INT16": np.int16,
        "INT32": np.int32,
        "INT64": np.int64,
        "UINT8": np.uint8,
        "UINT16": np.uint16,
        "UINT32": np.uint32,
        "UINT64": np.uint64,
        "FP16": np.float16,
        "FP32": np.float32,
        "FP64": np.float64,
        "BYTES": np.object_,
    }
)
"""Datatypes of the protocol and the numpy types that onnxruntime takes for them."""

INTEGERS = frozenset(name for name in NUMPY_TYPES if "INT" in name)
FLOATS = frozenset(name for name in NUMPY_TYPES if name.startswith("FP"))


@dataclass(frozen=True)
class Input:
    """One input tensor.

    Attributes:
        name: name in the ONNX graph and in requests.
        datatype: a key of `NUMPY_TYPES`.
        row_shape: shape without the first axis, which counts rows; -1 where any length goes. `(1,)` is a feature.
        rows: the only number of rows that the graph takes, or None if it takes any.
        nullable: whether `null` may be sent for NaN; floats only.
        categories: the values seen in training, for people; others are served too.
        minimum: the smallest value seen in training, for people.
        maximum: the largest value seen in training, for people.
    """

    name: str
    datatype: str
    row_shape: tuple[int, ...]
    rows: int | None = None
    nullable: bool = False
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @cached_property
    def scalar(self) -> bool:
        """Whether a row of this input is one value."""
        return self.row_shape in ((), (1,))

    @cached_property
    def accepts(self) -> frozenset[str]:
        """Datatypes that a V2 request may name: any number for a float, as clients send 3 for 3.0."""
        if self.datatype in FLOATS:
            return FLOATS | INTEGERS
        return INTEGERS if self.datatype in INTEGERS else frozenset({self.datatype})

    @property
    def expected(self) -> str:
        """What a value has to be, for error messages."""
        words = {"BYTES": "a string", "BOOL": "true or false"}
        kind = "a number" if self.datatype in FLOATS else words.get(self.datatype, "an integer")
        return f"{kind} or null" if self.nullable else kind


@dataclass(frozen=True)
class Output:
    """One output tensor; `shape` has -1 for every length that is not fixed, the number of rows first."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """The inputs in the order of rows that are sent as lists, and the outputs in the order of answers."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    by_name: Mapping[str, Input] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", MappingProxyType({i.name: i for i in self.inputs}))

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of all inputs."""
        return frozenset(self.by_name)

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """Names of all outputs."""
        return tuple(o.name for o in self.outputs)


Tensors = dict[str, np.ndarray[Any, Any]]
"""Arrays by the name of the input or output."""
