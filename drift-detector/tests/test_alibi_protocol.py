"""Frames between the detector and its worker: what is written is read, and nothing else is taken for a frame."""

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from leeway_drift.detectors.interface import ColumnScore, Judgement, Reference, Verdict
from leeway_drift.service.alibi_protocol import (
    MAX_ARRAYS_BYTES,
    MAX_HEADER_BYTES,
    PREFIX_BYTES,
    FrameError,
    decode,
    encode,
    judgement_from_json,
    judgement_to_json,
    lengths,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
ARRAYS = st.dictionaries(
    st.sampled_from(["numbers", "codes", "block"]),
    arrays_of.arrays(
        st.sampled_from([np.float32, np.int16, np.int32]), arrays_of.array_shapes(max_dims=2, min_side=0, max_side=4)
    ),
)
JUDGEMENTS = st.builds(
    Judgement,
    detector=st.text(),
    reference=st.sampled_from(Reference),
    verdict=st.sampled_from(Verdict),
    score_ratio=st.none() | FLOATS,
    calibrated=st.booleans(),
    reason=st.text(),
    columns=st.lists(
        st.builds(
            ColumnScore,
            name=st.text(),
            statistics=st.dictionaries(st.text(), FLOATS),
            score_ratio=st.none() | FLOATS,
        )
    ).map(tuple),
)


def read(frame: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    header, arrays = lengths(frame[:PREFIX_BYTES])
    assert len(frame) == PREFIX_BYTES + header + arrays
    return decode(frame[PREFIX_BYTES : PREFIX_BYTES + header], frame[PREFIX_BYTES + header :])


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), ARRAYS)
def test_header_and_arrays_come_out_as_they_went_in(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    read_header, read_arrays = read(encode(header, arrays))

    assert read_header == header
    assert read_arrays.keys() == arrays.keys()
    for name, values in arrays.items():
        assert read_arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(read_arrays[name], values)


@given(JUDGEMENTS)
def test_a_judgement_comes_out_as_it_went_in(judgement: Judgement) -> None:
    assert judgement_from_json(json.loads(json.dumps(judgement_to_json(judgement)))) == judgement


@given(st.binary(max_size=2 * PREFIX_BYTES))
def test_bytes_that_do_not_begin_like_a_frame_are_refused(prefix: bytes) -> None:
    with pytest.raises(FrameError):
        lengths(prefix)


@given(st.binary(max_size=64), st.binary(min_size=1, max_size=64))
def test_bytes_that_are_no_header_and_no_arrays_are_refused(header: bytes, arrays: bytes) -> None:
    with pytest.raises(FrameError):
        decode(header, arrays)


@pytest.mark.parametrize("size", [(MAX_HEADER_BYTES + 1, 0), (0, MAX_ARRAYS_BYTES + 1)])
def test_a_frame_that_announces_too_much_is_refused_before_it_is_read(size: tuple[int, int]) -> None:
    prefix = b"LWA1" + size[0].to_bytes(4, "little") + size[1].to_bytes(8, "little")
    with pytest.raises(FrameError, match="expected at most"):
        lengths(prefix)


def test_objects_are_neither_sent_nor_unpickled() -> None:
    objects = np.array(["a", None], dtype=np.object_)
    with pytest.raises(FrameError, match="arrays of objects, expected numbers only: names"):
        encode({}, {"names": objects})
    pickled = io.BytesIO()
    np.savez(pickled, names=objects)
    with pytest.raises(FrameError, match="no npz file"):
        decode(b"{}", pickled.getvalue())


@pytest.mark.parametrize(
    "document", [None, [], {}, {"detector": "tabular"}, {**judgement_to_json(Judgement(
        "tabular", Reference.TRAINING, Verdict.WITHIN, 0.5, True, ""))} | {"verdict": "fine"}]
)  # fmt: skip
def test_what_is_no_judgement_is_refused(document: Any) -> None:
    with pytest.raises(FrameError, match="no judgement"):
        judgement_from_json(document)
