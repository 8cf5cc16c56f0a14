import io
import zipfile
from contextlib import suppress
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leeway_drift.profile import Profile, ProfileError
from leeway_drift.profile.reference import build_reference, read_reference
from tests.profiled import World, world


@pytest.fixture(scope="module")
def reference() -> World:
    return world(20)


@pytest.fixture(scope="module")
def document(reference: World) -> dict:
    return reference.profile()


def built(reference: World, document: dict, rows: int = 1000, **changed: object) -> bytes:
    arguments = {"categorical": ["city", "region"], "profile": document, "time": reference.time, "rows": rows}
    return build_reference(reference.columns, **(arguments | changed))


def test_rows_come_back_as_they_were_in_order_of_time(reference: World, document: dict):
    turned = World({name: values[::-1] for name, values in reference.columns.items()}, {}, reference.time[::-1])
    rows = read_reference(built(turned, document, rows=10**6), Profile.parse(document))
    assert np.array_equal(rows.numeric["load"], reference.columns["load"])
    categories = np.array(document["features"]["city"]["categories"], dtype=object)
    assert categories[rows.categorical["city"]].tolist() == reference.columns["city"].tolist()


def test_as_many_as_asked_for_are_kept_from_the_whole_time(reference: World, document: dict):
    rows = read_reference(built(reference, document), Profile.parse(document))
    assert rows.block.size == 1000
    assert np.array_equal(np.unique(rows.block), np.arange(rows.block[-1] + 1))
    assert rows.block[-1] >= 15


def test_equal_inputs_give_equal_bytes(reference: World, document: dict):
    assert built(reference, document) == built(reference, document)


def test_missing_and_unlisted_values_have_codes_of_their_own(reference: World, document: dict):
    city = reference.columns["city"].copy()
    city[0], city[1] = None, "Nowhere"
    columns = reference.columns | {"city": city}
    data = build_reference(columns, categorical=["city", "region"], profile=document, time=reference.time, rows=10**6)
    assert read_reference(data, Profile.parse(document)).categorical["city"][:2].tolist() == [-1, 5]


def test_a_column_left_out_is_in_no_sample(reference: World, document: dict):
    columns = {name: values for name, values in reference.columns.items() if name != "load"}
    data = build_reference(columns, categorical=["city", "region"], profile=document, time=None, rows=50)
    assert "load" not in read_reference(data, Profile.parse(document)).numeric


def test_nothing_to_keep_is_an_error(reference: World, document: dict):
    with pytest.raises(ProfileError, match="rows: 0, expected at least 1"):
        built(reference, document, rows=0)
    with pytest.raises(ProfileError, match="not in the profile: wind"):
        build_reference({"wind": np.ones(5)}, categorical=(), profile=document, time=None, rows=5)


def packed(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(content: bytes, name: str = "block.npy") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def claiming(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<i4", "fortran_order": False, "shape": shape})
    return zipped(file.getvalue())


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_are_refused_or_read_and_nothing_else(changes: list[tuple[float, int]]):
    document, data = small()
    damaged = bytearray(data)
    for where, value in changes:
        damaged[int(where * len(damaged))] = value
    with suppress(ProfileError):
        assert read_reference(bytes(damaged), Profile.parse(document)).block.size == 50


@cache
def small() -> tuple[dict, bytes]:
    reference = world(4)
    document = reference.profile()
    return document, built(reference, document, rows=50)


BLOCK = np.zeros(3, dtype=np.int32)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected an npz"),
        (b"PK\x03\x04 and so on", "expected an npz"),
        (packed(block=np.array([{}], dtype=object)), "expected an npz without pickles"),
        (saved(BLOCK), "expected an npz"),
        (zipped(b"no array"), "expected an npz"),
        (zipped(b"\x93NUMPY\x01\x00\x10\x00{'descr': '<i4', \n"), "expected an npz"),
        (claiming((10**15,)), r"array of int32 \(1000000000000000,\) in \d+ bytes"),
        (zipped(bytes(2**28 + 1)), "268435457 bytes unpacked, expected at most 268435456"),
        (packed(x=BLOCK), "block: expected ascending int32"),
        (packed(block=BLOCK[::-1] + np.arange(3, 0, -1, dtype=np.int32)), "block: expected ascending int32"),
        (packed(block=BLOCK, load=BLOCK), "load: expected a feature of the profile"),
        (packed(block=BLOCK, **{"feature:wind": BLOCK}), "feature:wind: expected a feature of the profile"),
        (packed(block=BLOCK, **{"feature:load": np.ones(2, np.float32)}), r"load: shape \(2,\), expected \(3,\)"),
        (packed(block=BLOCK, **{"feature:load": np.ones(3)}), "load: float64, expected float32"),
        (packed(block=BLOCK, **{"feature:city": np.full(3, 9, np.int16)}), "city: expected int16 codes from -1 to 5"),
    ],
)
def test_anything_else_is_refused_with_its_place(document: dict, data: bytes, message: str):
    with pytest.raises(ProfileError, match=message):
        read_reference(data, Profile.parse(document))
