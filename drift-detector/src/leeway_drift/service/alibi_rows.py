"""Rows as the worker takes them: one table of numbers and one of codes, of the features that the reference has."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from leeway_drift.columns import Rows
from leeway_drift.counting.bins import code_categorical
from leeway_drift.profile import Profile
from leeway_drift.profile.reference import ReferenceRows
from leeway_drift.service.alibi_protocol import Arrays

_NULL_CODE = -1


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of both tables, for one version.

    Attributes:
        numeric: names of the columns of ``numbers``.
        categorical: names of the columns of ``codes``, and the categories that their codes stand for.
    """

    numeric: tuple[str, ...]
    categorical: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, profile: Profile, reference: ReferenceRows) -> Self:
        """The monitored features that the reference has, in the profile's order."""
        monitored = {name: column for name, column in profile.features.items() if column.monitored}
        return cls(
            tuple(name for name in monitored if name in reference.numeric),
            tuple(
                (name, column.plan.categories) for name, column in monitored.items() if name in reference.categorical
            ),
        )

    @property
    def features(self) -> list[tuple[str, int | None]]:
        """Names with numbers of categories, None for a numeric one: what the worker is told."""
        numeric: list[tuple[str, int | None]] = [(name, None) for name in self.numeric]
        return numeric + [(name, len(categories)) for name, categories in self.categorical]

    def of_reference(self, reference: ReferenceRows, *, in_order_of_time: bool) -> Arrays:
        """The reference's tables, and the block of each row where blocks are windows in order of time."""
        columns: dict[str, npt.NDArray[Any]] = {**reference.numeric, **reference.categorical}
        arrays = self._tables(columns, len(reference.block))
        return {**arrays, "block": reference.block} if in_order_of_time else arrays

    def of_window(self, sample: Rows) -> Arrays:
        """A window's tables; a feature that the rows do not have is missing in all of them."""
        columns: dict[str, npt.NDArray[Any]] = {
            name: sample.column(name) for name in self.numeric if name in sample.numeric
        }
        for name, categories in self.categorical:
            if name in sample.categorical:
                columns[name] = code_categorical(sample.column(name).tolist(), categories)
        return self._tables(columns, sample.count)

    def _tables(self, columns: dict[str, npt.NDArray[Any]], rows: int) -> dict[str, npt.NDArray[Any]]:
        numbers = np.full((rows, len(self.numeric)), np.nan, dtype=np.float32)
        for index, name in enumerate(self.numeric):
            if name in columns:
                numbers[:, index] = columns[name]
        codes = np.full((rows, len(self.categorical)), _NULL_CODE, dtype=np.int16)
        for index, (name, _) in enumerate(self.categorical):
            if name in columns:
                codes[:, index] = columns[name]
        return {"numbers": numbers, "codes": codes}
