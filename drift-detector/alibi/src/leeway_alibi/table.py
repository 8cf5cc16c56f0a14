"""Rows as the worker holds them: numbers and codes of categories, nulls marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int16]

NULL_CODE = -1


@dataclass(frozen=True, slots=True)
class Feature:
    """A column: its name, and how many categories the profile lists, None if it is numeric."""

    name: str
    categories: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows in time order.

    Attributes:
        features: the columns; numeric ones first, as in ``numbers``, then categorical ones, as in ``codes``.
        numbers: float32 ``[rows, numeric features]``, NaN where missing.
        codes: int16 ``[rows, categorical features]``, ``NULL_CODE`` where missing, the number of categories where the
            value is not among those of the profile.
    """

    features: tuple[Feature, ...]
    numbers: Float32
    codes: Codes

    @classmethod
    def of(cls, features: Sequence[Feature], numbers: npt.NDArray[Any], codes: npt.NDArray[Any]) -> Self:
        """Check shapes and codes.

        Raises:
            ValueError: they do not fit the features, or each other.
        """
        numeric = sum(feature.categories is None for feature in features)
        expected = (numeric, len(features) - numeric)
        if numbers.ndim != 2 or codes.ndim != 2 or (numbers.shape[1], codes.shape[1]) != expected:  # noqa: PLR2004 - tables
            raise ValueError(f"numbers {numbers.shape} and codes {codes.shape}, expected {expected} columns")
        if len(numbers) != len(codes):
            raise ValueError(f"{len(numbers)} rows of numbers and {len(codes)} rows of codes, expected equally many")
        highest = np.array([feature.categories for feature in features[numeric:]], dtype=np.int64)
        if ((codes < NULL_CODE) | (codes > highest)).any():
            raise ValueError("codes outside of -1 (null) … number of categories (unlisted)")
        return cls(tuple(features), numbers.astype(np.float32), codes.astype(np.int16))

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """The rows that an index array or a mask selects."""
        return type(self)(self.features, self.numbers[rows], self.codes[rows])

    def thinned(self, rows: int) -> Self:
        """At most ``rows`` of the rows, evenly spaced over all of them."""
        if len(self) <= rows:
            return self
        return self.take(np.arange(rows) * len(self) // rows)

    def present(self, feature: int) -> Float32 | Codes:
        """The values of a column that are not missing, ``[n]``."""
        numeric = self.numbers.shape[1]
        if feature < numeric:
            numbers: Float32 = self.numbers[:, feature]
            return np.extract(~np.isnan(numbers), numbers)
        codes: Codes = self.codes[:, feature - numeric]
        return np.extract(codes != NULL_CODE, codes)

    def complete(self) -> Self:
        """The rows in which nothing is missing."""
        return self.take(~np.isnan(self.numbers).any(axis=1) & (self.codes != NULL_CODE).all(axis=1))

    def most_missing(self) -> tuple[str, int]:
        """The column with the most nulls, and their number."""
        nulls = np.concatenate([np.isnan(self.numbers).sum(axis=0), (self.codes == NULL_CODE).sum(axis=0)])
        worst = int(nulls.argmax())
        return self.features[worst].name, int(nulls[worst])
