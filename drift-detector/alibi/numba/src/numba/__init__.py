"""Stands in for numba, with which Alibi-Detect compiles its online detectors as it is imported: none run here."""

from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable[..., object])

prange = range


def njit(**_: object) -> Callable[[Function], Function]:
    """Leave a function as Python's interpreter runs it: right, and slow."""
    return lambda function: function
