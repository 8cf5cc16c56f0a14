"""Where the rows are, when they happened, and which of them are for learning and which for judging."""

from datetime import date
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

Column = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """Knows every key it may have, and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Table(Strict):
    """A CSV or Parquet file: a path beside the configuration, or a data file of an installed Python package."""

    path: str
    package: str | None = None

    @field_validator("path")
    @classmethod
    def _known_format(cls, path: str) -> str:
        if not path.endswith((".csv", ".csv.gz", ".csv.zip", ".parquet")):
            raise ValueError("is neither .csv, .csv.gz, .csv.zip nor .parquet")
        return path


class Join(Strict):
    """Columns of another table, looked up by a key that is unique there; rows without a match get nulls."""

    table: Table
    on: Annotated[tuple[Column, ...], Field(min_length=1)]
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]


class Data(Strict):
    """The rows: one table, looked up in others, and the columns that identify a row.

    With a key neither the bundle nor its digest depends on the order of rows in the file.
    """

    name: str
    table: Table
    joins: tuple[Join, ...] = ()
    key: tuple[Column, ...] = ()


class Time(Strict):
    """When a row happened. Times are ISO 8601, UTC unless they carry an offset; split dates are dates in ``zone``."""

    column: Column
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{zone!r} is not a time zone, for example America/New_York") from error
        return zone


class Period(Strict):
    """Local days from ``from`` up to, and without, ``until``."""

    start: date = Field(alias="from")
    until: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.until:
            raise ValueError(f"from {self.start} is not before until {self.until}")
        return self


class Shares(Strict):
    """A split at random, for rows that have no order in time; what is neither validation nor test is for training."""

    seed: Annotated[int, Field(ge=0)]
    validation: Annotated[float, Field(gt=0, lt=1, alias="validate")] = 0.15
    test: Annotated[float, Field(gt=0, lt=1)] = 0.25

    @model_validator(mode="after")
    def _leaves_most_for_training(self) -> Self:
        if self.validation + self.test > 0.5:  # noqa: PLR2004 - a half
            raise ValueError(f"validate {self.validation:g} and test {self.test:g} leave less than half for training")
        return self


class RandomSplit(Strict):
    """Rows are told apart by a seed and not by time: said so on purpose, since a random split hides every trend."""

    random: Shares


class Periods(Strict):
    """Three periods in order of time: what is learnt never lies after what is judged."""

    train: Period
    validation: Period = Field(alias="validate")
    test: Period

    @model_validator(mode="after")
    def _no_future_in_training(self) -> Self:
        for earlier, later in (("train", "validation"), ("validation", "test")):
            end, start = getattr(self, earlier).until, getattr(self, later).start
            if start < end:
                shown = later.replace("validation", "validate")
                raise ValueError(
                    f"the future leaks into the past: {shown} begins {start}, before "
                    f"{earlier.replace('validation', 'validate')} ends ({end})"
                )
        return self


def _kind_of_split(value: Any) -> str:
    named = isinstance(value, RandomSplit) or (isinstance(value, dict) and "random" in value)
    return "random" if named else "periods"


Split = Annotated[
    Annotated[Periods, Tag("periods")] | Annotated[RandomSplit, Tag("random")], Discriminator(_kind_of_split)
]
