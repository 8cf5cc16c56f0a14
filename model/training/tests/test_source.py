"""Tables are read and looked up in each other, or refused by name."""

from pathlib import Path

import pandas as pd
import pytest

from leeway_training.config import Data
from leeway_training.errors import Refused
from leeway_training.source import read_source

ROWS = pd.DataFrame({"hour": [1, 2, 3], "place": ["a", "b", "a"], "y": [0.5, 1.5, 2.5]})
WEATHER = pd.DataFrame({"hour": [1, 2], "place": ["a", "b"], "wind": [7.0, 8.0]})


def _data(
    table: str = "rows.csv", *, on: tuple[str, ...] = ("hour", "place"), columns: tuple[str, ...] = ("wind",)
) -> Data:
    joins = [{"table": {"path": "weather.csv"}, "on": on, "columns": columns}]
    return Data.model_validate({"name": "d", "table": {"path": table}, "joins": joins, "key": ["hour"]})


@pytest.fixture
def folder(tmp_path: Path):
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    ROWS.to_parquet(tmp_path / "rows.parquet")
    WEATHER.to_csv(tmp_path / "weather.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("table", ["rows.csv", "rows.parquet"])
def test_rows_without_a_match_are_kept_with_a_null(folder: Path, table: str):
    frame = read_source(_data(table), base=folder).frame
    assert list(frame["y"]) == [0.5, 1.5, 2.5]
    assert frame["wind"].to_list()[:2] == [7.0, 8.0]
    assert pd.isna(frame["wind"][2])


def test_the_hash_changes_with_any_file(folder: Path):
    before = read_source(_data(), base=folder).sha256
    assert read_source(_data(), base=folder).sha256 == before
    WEATHER.assign(wind=1.0).to_csv(folder / "weather.csv", index=False)
    assert read_source(_data(), base=folder).sha256 != before


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (_data("gone.csv"), r"data\.table: gone\.csv"),
        (_data(on=("minute",)), r"data\.joins\.0\.on: column minute is not in the table"),
        (_data(columns=("rain",)), r"column rain is not in weather\.csv; expected one of hour, place, wind"),
        (_data(columns=("hour",)), "column hour is in the table already"),
        (_data(table="weather.csv", on=("place",), columns=("wind",)), "column wind is in the table already"),
    ],
)
def test_what_cannot_be_read_or_looked_up_is_refused(folder: Path, data: Data, named: str):
    with pytest.raises(Refused, match=named):
        read_source(data, base=folder)


def test_a_lookup_key_that_repeats_is_refused(folder: Path):
    pd.concat([WEATHER, WEATHER.head(1)]).to_csv(folder / "weather.csv", index=False)
    with pytest.raises(Refused, match=r"1 rows of weather\.csv repeat a key, the first \(hour=1, place=a\)"):
        read_source(_data(), base=folder)


def test_a_lookup_key_of_another_type_is_refused(folder: Path):
    WEATHER.assign(hour=["one", "two"]).to_csv(folder / "weather.csv", index=False)
    with pytest.raises(Refused, match="column hour is int64 here, str there"):
        read_source(_data(), base=folder)


def test_a_package_that_is_not_installed_is_refused_with_the_remedy(folder: Path):
    table = {"package": "no-such-data", "path": "data/rows.csv"}
    with pytest.raises(Refused, match="pip install no-such-data"):
        read_source(Data.model_validate({"name": "d", "table": table, "key": ["hour"]}), base=folder)
