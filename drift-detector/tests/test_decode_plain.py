"""Plain tensors are read in a few calls: as the same values are that are read tensor by tensor."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.columns import Rows
from leeway_drift.reading.decode import Inference, decode
from leeway_drift.reading.events import Kind

NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.sampled_from([-0.0, 1e300])
)
TEXTS = st.one_of(st.none(), st.text(max_size=3))


@st.composite
def tensors(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Of one count of rows, of one or of several columns each."""
    count = draw(st.integers(1, 3))
    made = []
    for index in range(draw(st.integers(1, 4))):
        datatype, values = draw(st.sampled_from([("FP32", NUMBERS), ("INT64", NUMBERS), ("BYTES", TEXTS)]))
        width = draw(st.integers(1, 3))
        shape = [count] if width == 1 and draw(st.booleans()) else [count, width]
        data = draw(st.lists(values, min_size=count * width, max_size=count * width))
        made.append({"name": f"t{index}", "datatype": datatype, "shape": shape, "data": data})
    return made


def _read(inputs: list[dict[str, Any]]) -> Rows:
    inference = decode(json.dumps({"inputs": inputs}).encode(), Kind.REQUEST)
    assert isinstance(inference, Inference)
    return inference.rows


@given(tensors())
def test_lists_of_scalars_are_read_as_nested_lists_are(inputs: list[dict[str, Any]]):
    plain, nested = _read(inputs), _read([{**tensor, "data": [tensor["data"]]} for tensor in inputs])

    assert (plain.numeric, plain.categorical) == (nested.numeric, nested.categorical)
    assert plain.numbers.dtype == nested.numbers.dtype == np.float32
    np.testing.assert_array_equal(plain.numbers, nested.numbers, strict=True)
    assert np.signbit(plain.numbers[plain.numbers == 0]).sum() == 0
    assert plain.strings.tolist() == nested.strings.tolist()


def test_the_answer_of_a_classifier_has_a_column_per_class():
    rows = _read(
        [
            {"name": "label", "datatype": "INT64", "shape": [1, 1], "data": [1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [0.25, None]},
        ]
    )

    assert rows.numeric == ("label", "probabilities.0", "probabilities.1")
    assert rows.numbers[0, :2].tolist() == [1.0, 0.25]
    assert math.isnan(rows.numbers[0, 2])


@pytest.mark.parametrize("widths", [[1] * 300, [150, 150], [1000]])
def test_a_row_of_many_columns_is_read_whole(widths: list[int]):
    rows = _read(
        [
            {"name": f"t{index}", "datatype": "FP32", "shape": [1, width], "data": list(range(width))}
            for index, width in enumerate(widths)
        ]
    )

    assert rows.numbers.shape == (1, sum(widths))
    assert rows.numbers[0].tolist() == [value for width in widths for value in range(width)]
