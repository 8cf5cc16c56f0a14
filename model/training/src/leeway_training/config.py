"""The configuration of one model: where its data is, what it may look at, and how good it must be."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, FiniteFloat, field_validator, model_validator

from leeway_training.tables import Column, Data, Periods, RandomSplit, Split, Strict, Time

Name = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]
OUTPUTS = frozenset({"label", "probabilities", "prediction"})
"""What outputs are called; no feature may be."""


def _no_output(name: str) -> str:
    if name in OUTPUTS:
        raise ValueError(f"{name!r} is what an output is called; rename the column")
    return name


# A feature is a tensor's name in requests and in the graph.
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_no_output)]
Metric = Literal["auc", "log_loss", "brier", "accuracy", "rmse", "mae", "r2"]
Estimator = Literal["logistic_regression", "ridge", "hist_gradient_boosting", "random_forest"]
Privacy = Literal["keep", "hash", "bin", "drop"]


class Candidate(Strict):
    """An estimator and its parameters, as scikit-learn names them."""

    estimator: Estimator
    params: dict[str, Any] = Field(default_factory=dict)

    def __str__(self) -> str:
        """Render as people read it: ``ridge (alpha=1.0)``."""
        params = ", ".join(f"{key}={value}" for key, value in sorted(self.params.items()))
        return f"{self.estimator} ({params or 'defaults'})"


class Model(Strict):
    """What is trained, and what people should know about it: one estimator, or candidates of which one is chosen."""

    name: Name
    version: Version
    description: str
    intended_use: str
    limits: tuple[str, ...] = ()
    estimator: Estimator | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=2)] | None = None

    @field_validator("version", mode="before")
    @classmethod
    def _version_is_text(cls, value: Any) -> Any:
        if isinstance(value, float | int):
            # YAML reads 1.10 as the number 1.1: the author's version would silently be another one.
            raise ValueError("is a number in YAML; put the version in quotes")  # noqa: TRY004 - pydantic reports ValueError
        return value

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if (self.estimator is None) == (self.candidates is None):
            raise ValueError("needs exactly one of estimator and candidates")
        if self.candidates is not None and self.params:
            raise ValueError("params belong to each of the candidates")
        return self

    @property
    def choices(self) -> tuple[Candidate, ...]:
        """The candidates, or the one estimator there is."""
        if self.estimator is not None:
            return (Candidate(estimator=self.estimator, params=self.params),)
        return self.candidates or ()


class BinaryTarget(Strict):
    """True where ``column`` is greater than ``greater_than``."""

    task: Literal["binary_classification"]
    column: Column
    greater_than: FiniteFloat


class MulticlassTarget(Strict):
    """The class is the position of the column's value in ``classes``."""

    task: Literal["multiclass_classification"]
    column: Column
    classes: Annotated[tuple[str, ...], Field(min_length=3)]


class RegressionTarget(Strict):
    """The number in ``column``."""

    task: Literal["regression"]
    column: Column


Target = Annotated[BinaryTarget | MulticlassTarget | RegressionTarget, Field(discriminator="task")]


Share = Annotated[float, Field(ge=0, le=1)]


class Limits(Strict):
    """Shares of rows above which a feature's data counts as broken, whatever the training period says."""

    missing_ratio: Share | None = None
    unseen_ratio: Share | None = None
    out_of_range_ratio: Share | None = None
    top_value_ratio: Share | None = None


class Profile(Strict):
    """What the drift detector is given to compare with.

    Attributes:
        keep_rows: raw rows of the training period in ``drift-reference.npz``, for detectors that need them; 0 for none.
        context: features that are calendar or ids: the model sees them, nobody is alarmed by them.
        limits: by feature; a period of training that was itself broken must not teach that this is normal.
    """

    keep_rows: Annotated[int, Field(ge=0, le=100_000)] = 10_000
    context: tuple[Column, ...] = ()
    limits: dict[Column, Limits] = Field(default_factory=dict)


class NumericFeature(Strict):
    """A number, sent as FP32; ``out_of_range: missing`` takes a value outside its bounds for a fault of the source."""

    name: Identifier
    kind: Literal["numeric"]
    nullable: bool = False
    minimum: FiniteFloat | None = None
    maximum: FiniteFloat | None = None
    out_of_range: Literal["refuse", "missing"] = "refuse"
    unit: str | None = None
    privacy: Privacy = "keep"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum} is not below maximum {self.maximum}")
        if self.out_of_range == "missing" and not self.nullable:
            raise ValueError("out_of_range: missing needs nullable: true")
        return self


class CategoricalFeature(Strict):
    """A string. Without ``categories`` those of the training period are taken; others count as none of them."""

    name: Identifier
    kind: Literal["categorical"]
    categories: Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    unit: str | None = None
    privacy: Privacy = "keep"

    @property
    def nullable(self) -> bool:
        """A missing category must be a category of its own, so that clients say what they mean."""
        return False


Feature = Annotated[NumericFeature | CategoricalFeature, Field(discriminator="kind")]


class Rule(Strict):
    """A rule of thumb to compare with: positive where ``column`` is greater than ``greater_than``."""

    column: Column
    greater_than: FiniteFloat


class Threshold(Strict):
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
TASKS = tuple(_METRICS)
_ESTIMATORS: dict[str, frozenset[str]] = {
    "logistic_regression": frozenset({"binary_classification", "multiclass_classification"}),
    "ridge": frozenset({"regression"}),
    "hist_gradient_boosting": frozenset(_METRICS),
    "random_forest": frozenset(_METRICS),
}


class Config(Strict):
    """Everything that training needs to know; two equal configurations over equal data give one digest."""

    model: Model
    data: Data
    time: Time | None = None
    split: Split
    target: Target
    unavailable_at_prediction: tuple[Column, ...] = ()
    features: Annotated[tuple[Feature, ...], Field(min_length=1)]
    entity_key: Column | None = None
    baseline: Rule | None = None
    gate: Annotated[dict[Metric, Threshold], Field(min_length=1)]
    profile: Profile = Profile()

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
        for choice in self.model.choices:
            if task not in _ESTIMATORS[choice.estimator]:
                raise ValueError(f"model: {choice.estimator} cannot do {task}")
        if self.time is None and isinstance(self.split, Periods):
            raise ValueError("split: periods need time.column; rows without a time need split.random, said on purpose")
        if self.time is not None and isinstance(self.split, RandomSplit):
            raise ValueError("split: random with time.column would let the future leak into the past; name periods")
        return self

    @model_validator(mode="after")
    def _profile_names_features(self) -> Self:
        names = {feature.name for feature in self.features}
        for key, named in (("context", self.profile.context), ("limits", self.profile.limits)):
            if unknown := sorted(set(named) - names):
                raise ValueError(f"profile.{key}: {', '.join(unknown)} is no feature")
        return self

    @property
    def ranking(self) -> tuple[Metric, bool]:
        """The metric that candidates are compared by, the gate's first, and whether more of it is better."""
        metric, bound = next(iter(self.gate.items()))
        return metric, bound.at_least is not None

    @property
    def classes(self) -> tuple[str, ...] | None:
        """What the class indexes mean, in words; None for regression."""
        if isinstance(self.target, MulticlassTarget):
            return self.target.classes
        if isinstance(self.target, BinaryTarget):
            return tuple(f"{self.target.column} {sign} {self.target.greater_than:g}" for sign in ("≤", ">"))
        return None

    @property
    def numeric(self) -> tuple[NumericFeature, ...]:
        """The numeric features in declared order."""
        return tuple(feature for feature in self.features if isinstance(feature, NumericFeature))

    @property
    def categorical(self) -> tuple[CategoricalFeature, ...]:
        """The categorical features in declared order."""
        return tuple(feature for feature in self.features if isinstance(feature, CategoricalFeature))
