import copy

import pytest

from drill.faults import FAULTS

ROWS = {
    "dep_delay": [5.0] * 10,
    "distance": [100.0] * 10,
    "temp": [212.0] * 9 + [None],
    "wind_speed": [1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0],
    "pressure": [1013.0] * 10,
    "carrier": ["UA", "B6", "AA", "DL", "EV"] * 2,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_its_own_column_of_a_copy_and_nothing_else(name: str):
    given = copy.deepcopy(ROWS)
    fault = FAULTS[name]

    after = fault.apply(given)

    assert given == ROWS
    assert {column for column in ROWS if after[column] != ROWS[column]} == (set() if fault.later else {fault.column})


def test_celsius_is_the_same_heat_and_what_is_missing_stays_missing():
    assert FAULTS["celsius"].apply(ROWS)["temp"] == [100.0] * 9 + [None]


def test_a_swap_keeps_every_other_carrier():
    assert FAULTS["swap"].apply(ROWS)["carrier"] == ["B6", "UA", "AA", "DL", "EV"] * 2


def test_a_rename_makes_a_carrier_that_was_never_seen():
    assert FAULTS["rename"].apply(ROWS)["carrier"] == ["United", "B6", "AA", "DL", "EV"] * 2


@pytest.mark.parametrize(("name", "column", "value", "share"), [
    ("nulls", "temp", None, 0.3 + 0.1),  # the tenth had none before
    ("zeros", "dep_delay", 0.0, 0.3),
    ("sentinel", "pressure", -999.0, 0.1),
])  # fmt: skip
def test_a_partial_fault_has_its_share_of_every_ten_rows(name: str, column: str, value: float | None, share: float):
    values = FAULTS[name].apply(ROWS)[column]

    assert values.count(value) / len(values) == share


def test_a_stuck_sensor_has_one_value_and_keeps_its_gaps():
    values = FAULTS["stuck"].apply(ROWS)["wind_speed"]

    assert len({value for value in values if value is not None}) == 1
    assert values[2] is None


def test_units_are_off_by_their_factor():
    assert FAULTS["seconds"].apply(ROWS)["dep_delay"] == [300.0] * 10
    assert FAULTS["km"].apply(ROWS)["distance"] == [pytest.approx(160.9344)] * 10
