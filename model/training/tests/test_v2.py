"""What is sent as JSON is read back as the same float32."""

import json

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from leeway_training.v2 import features_of, request

NUMBERS = st.floats(width=32, allow_infinity=False)


@given(st.lists(st.tuples(NUMBERS, st.text()), min_size=1, max_size=20))
def test_rows_survive_json_bit_by_bit(rows: list[tuple[float, str]]):
    numbers, strings = zip(*rows, strict=True)
    features = pd.DataFrame({"x": np.array(numbers, np.float32), "s": np.array(strings, object)})
    back = features_of(json.loads(json.dumps(request(features), allow_nan=False)))
    assert np.array_equal(back["x"].to_numpy(), features["x"].to_numpy(), equal_nan=True)
    assert list(back["s"]) == list(strings)


def test_the_body_is_what_the_protocol_says():
    features = pd.DataFrame({"x": np.array([39.02, np.nan], np.float32), "s": np.array(["a", "b"], object)})
    assert request(features) == {
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [2, 1], "data": [39.02, None]},
            {"name": "s", "datatype": "BYTES", "shape": [2, 1], "data": ["a", "b"]},
        ]
    }
