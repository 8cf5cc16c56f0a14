"""The configuration of one model: where its data is, what it may look at, and how good it must be."""

from datetime import date
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]
# A feature is a tensor's name in requests and in the graph.
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Column = Annotated[str, Field(min_length=1)]
Metric = Literal["auc", "log_loss", "brier", "accuracy", "rmse", "mae", "r2"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Model(_Strict):
    """What is trained, and what people should know about it."""

    name: Name
    version: Version
    description: str
    intended_use: str
    limits: tuple[str, ...] = ()
    estimator: Literal["logistic_regression", "ridge"]
    params: dict[str, Any] = {}

    @field_validator("version", mode="before")
    @classmethod
    def _version_is_text(cls, value: Any) -> Any:
        if isinstance(value, float | int):
            # YAML reads 1.10 as the number 1.1: the author's version would silently be another one.
            raise ValueError("is a number in YAML; put the version in quotes")  # noqa: TRY004 - pydantic reports ValueError
        return value


class Table(_Strict):
    """A CSV or Parquet file: a path beside the configuration, or a data file of an installed Python package."""

    path: str
    package: str | None = None

    @field_validator("path")
    @classmethod
    def _known_format(cls, path: str) -> str:
        if not path.endswith((".csv", ".csv.gz", ".csv.zip", ".parquet")):
            raise ValueError("is neither .csv, .csv.gz, .csv.zip nor .parquet")
        return path


class Join(_Strict):
    """Columns of another table, looked up by a key that is unique there; rows without a match get nulls."""

    table: Table
    on: Annotated[tuple[Column, ...], Field(min_length=1)]
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]


class Data(_Strict):
    """The rows: one table, looked up in others, and the columns that identify a row."""

    name: str
    table: Table
    joins: tuple[Join, ...] = ()
    key: Annotated[tuple[Column, ...], Field(min_length=1)]


class Time(_Strict):
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


class Period(_Strict):
    """Local days from ``from`` up to, and without, ``until``."""

    start: date = Field(alias="from")
    until: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.until:
            raise ValueError(f"from {self.start} is not before until {self.until}")
        return self


class Split(_Strict):
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


class BinaryTarget(_Strict):
    """True where ``column`` is greater than ``greater_than``."""

    task: Literal["binary_classification"]
    column: Column
    greater_than: FiniteFloat


class MulticlassTarget(_Strict):
    """The class is the position of the column's value in ``classes``."""

    task: Literal["multiclass_classification"]
    column: Column
    classes: Annotated[tuple[str, ...], Field(min_length=3)]


class RegressionTarget(_Strict):
    """The number in ``column``."""

    task: Literal["regression"]
    column: Column


Target = Annotated[BinaryTarget | MulticlassTarget | RegressionTarget, Field(discriminator="task")]


class NumericFeature(_Strict):
    """A number, sent as FP32; ``out_of_range: missing`` takes a value outside its bounds for a fault of the source."""

    name: Identifier
    kind: Literal["numeric"]
    nullable: bool = False
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None
    out_of_range: Literal["refuse", "missing"] = "refuse"
    unit: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum} is not below maximum {self.maximum}")
        if self.out_of_range == "missing" and not self.nullable:
            raise ValueError("out_of_range: missing needs nullable: true")
        return self


class CategoricalFeature(_Strict):
    """A string. Without ``categories`` those of the training period are taken; others count as none of them."""

    name: Identifier
    kind: Literal["categorical"]
    categories: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    unit: str | None = None

    @property
    def nullable(self) -> bool:
        """A missing category must be a category of its own, so that clients say what they mean."""
        return False


Feature = Annotated[NumericFeature | CategoricalFeature, Field(discriminator="kind")]


class Rule(_Strict):
    """A rule of thumb to compare with: positive where ``column`` is greater than ``greater_than``."""

    column: Column
    greater_than: FiniteFloat


class Threshold(_Strict):
    """A bound on one metric."""

    at_least: FiniteFloat | None = None
    at_most: FiniteFloat | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("needs exactly one of at_least and at_most")
        return self


_METRICS: dict[str, frozenset[str]] = {
    "binary_classification": frozenset({"auc", "log_loss", "brier", "accuracy"}),
    "multiclass_classification": frozenset({"log_loss", "accuracy"}),
    "regression": frozenset({"rmse", "mae", "r2"}),
}
_ESTIMATORS: dict[str, frozenset[str]] = {
    "logistic_regression": frozenset({"binary_classification", "multiclass_classification"}),
    "ridge": frozenset({"regression"}),
}


class Config(_Strict):
    """Everything that training needs to know; two equal configurations over equal data give one digest."""

    model: Model
    data: Data
    time: Time
    split: Split
    target: Target
    unavailable_at_prediction: tuple[Column, ...] = ()
    features: Annotated[tuple[Feature, ...], Field(min_length=1)]
    entity_key: Column | None = None
    baseline: Rule | None = None
    gate: Annotated[dict[Metric, Threshold], Field(min_length=1)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        names = [feature.name for feature in self.features]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"features: {', '.join(twice)} is declared twice")
        if leaks := sorted({self.target.column, *self.unavailable_at_prediction} & set(names)):
            raise ValueError(f"features: the future leaks in: {', '.join(leaks)} is not known at prediction time")
        task = self.target.task
        if foreign := sorted(set(self.gate) - _METRICS[task]):
            raise ValueError(f"gate: {', '.join(foreign)} is no metric of {task} ({', '.join(sorted(_METRICS[task]))})")
        if task not in _ESTIMATORS[self.model.estimator]:
            raise ValueError(f"model.estimator: {self.model.estimator} cannot do {task}")
        if self.baseline is not None and task != "binary_classification":
            raise ValueError(f"baseline: a rule is compared in binary_classification only, not in {task}")
        return self

    @property
    def numeric(self) -> tuple[NumericFeature, ...]:
        """The numeric features in declared order."""
        return tuple(feature for feature in self.features if isinstance(feature, NumericFeature))

    @property
    def categorical(self) -> tuple[CategoricalFeature, ...]:
        """The categorical features in declared order."""
        return tuple(feature for feature in self.features if isinstance(feature, CategoricalFeature))
