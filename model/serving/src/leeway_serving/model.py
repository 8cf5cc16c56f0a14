"""An ONNX graph in onnxruntime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from leeway_serving.errors import ModelError
from leeway_serving.signature import Input, Output, Signature, Tensors

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}


class Model:
    """A loaded graph. Calls hold the thread for as long as the model takes and may come from several threads."""

    def __init__(self, source: bytes | Path) -> None:
        """Loads the graph.

        Args:
            source: the graph itself, or the file that holds it (then it may have external data beside it).

        Raises:
            ModelError: when onnxruntime cannot load it, or an input or output is not a tensor with rows.
        """
        options = ort.SessionOptions()
        # One thread a process: a second one does not make small batches faster, and spinning ones fight the event loop.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # what fails is an exception; printed as well, it would be a line past the log
        try:
            self._session = ort.InferenceSession(
                source if isinstance(source, bytes) else str(source), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise ModelError(f"onnxruntime cannot load the model: {error}") from error
        self.signature = Signature(
            tuple(_input(node) for node in self._session.get_inputs()),
            tuple(_output(node) for node in self._session.get_outputs()),
        )

    def predict(self, tensors: Tensors, outputs: Sequence[str]) -> Tensors:
        """Runs the graph: arrays in and out by name, with as many rows as were sent."""
        return dict(zip(outputs, self._session.run(list(outputs), tensors), strict=True))


def _input(node: Any) -> Input:
    datatype = _datatype("input", node)
    if not node.shape:
        raise ModelError(f"input '{node.name}' is a single value; a tensor whose first axis counts rows was expected")
    rows, *rest = _lengths(node.shape)
    return Input(node.name, datatype, tuple(rest), rows=None if rows == -1 else rows)


def _output(node: Any) -> Output:
    return Output(node.name, _datatype("output", node), _lengths(node.shape))


def _datatype(what: str, node: Any) -> str:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        hint = (
            "; a scikit-learn classifier needs options={'zipmap': False} when it is converted"
            if "map" in node.type
            else ""
        )
        raise ModelError(
            f"{what} '{node.name}' is a {node.type}; a tensor of numbers, booleans or strings was expected{hint}"
        )
    return datatype


def _lengths(shape: Sequence[Any]) -> tuple[int, ...]:
    return tuple(length if isinstance(length, int) else -1 for length in shape)
