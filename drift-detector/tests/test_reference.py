import io

import numpy as np
import pytest

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


BLOCK = np.zeros(3, dtype=np.int32)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected an npz"),
        (b"PK\x03\x04 and so on", "expected an npz"),
        (packed(block=np.array([{}], dtype=object)), "expected an npz without pickles"),
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
