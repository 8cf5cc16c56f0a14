"""Writes drift-detector/tests/golden/alibi_tabular.json: what Alibi-Detect's TabularDrift says of windows made here.

Run in drift-detector/alibi:  uv run --frozen python tests/make_golden.py
"""

import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from leeway_alibi.tabular import chi2, ks

TARGET = Path(__file__).parents[2] / "tests/golden/alibi_tabular.json"
COMMAND = "uv run --frozen python tests/make_golden.py (in drift-detector/alibi)"

Numbers = npt.NDArray[np.float32]


def main() -> None:
    """Write the file."""
    TARGET.write_text(document(), encoding="utf-8")


def document() -> str:
    """The file's content: JSON with one window per line, so that a difference shows which one has changed."""
    random = np.random.default_rng(20131231)
    numeric = [_numeric(*case) for case in _numeric_windows(random)]
    categorical = [_categorical(*case) for case in _categorical_windows(random)]
    windows = {
        name: "[\n" + ",\n".join(json.dumps(case, allow_nan=False) for case in cases) + "\n]"
        for name, cases in (("numeric", numeric), ("categorical", categorical))
    }
    versions = {name: version(name) for name in ("alibi-detect", "numpy", "scipy")}
    parts = {"command": json.dumps(COMMAND), "versions": json.dumps(versions), **windows}
    return "{\n" + ",\n".join(f'"{name}": {part}' for name, part in parts.items()) + "\n}\n"


def _numeric_windows(random: np.random.Generator) -> Iterator[tuple[str, Numbers, Numbers]]:
    def pair(draw: Callable[[int], npt.NDArray[Any]], change: Callable[[Numbers], Numbers], rows: int) -> Any:
        return draw(200).astype(np.float32), change(draw(rows).astype(np.float32))

    normal = random.standard_normal

    def rain(rows: int) -> npt.NDArray[Any]:
        return np.maximum(0, random.normal(-1, 1, rows))

    def counts(rows: int) -> npt.NDArray[Any]:
        return random.poisson(0.5, rows)

    yield "same distribution", *pair(normal, lambda x: x, 100)
    yield "same, few rows", *pair(normal, lambda x: x, 7)
    yield "one row", *pair(normal, lambda x: x, 1)
    yield "shifted by a tenth", *pair(normal, lambda x: x + np.float32(0.1), 100)
    yield "shifted by one", *pair(normal, lambda x: x + np.float32(1), 100)
    yield "disjoint", *pair(normal, lambda x: x + np.float32(100), 100)
    yield "scaled", *pair(normal, lambda x: x * np.float32(3), 100)
    yield "ties: counts", *pair(counts, lambda x: x, 100)
    yield "ties: counts, shifted", *pair(counts, lambda x: x + np.float32(1), 100)
    yield "ties: zero-inflated", *pair(rain, lambda x: x, 100)
    yield "ties: stuck on one value", *pair(normal, lambda x: np.full_like(x, x[0]), 100)
    yield "ties: stuck on a value of the reference", *_stuck(normal)
    yield "identical", *_identical(normal)
    holes = np.where(random.random(100) < 1 / 3, np.float32(np.nan), np.float32(0))
    yield "nulls in a third", *pair(normal, lambda x: x + holes, 100)


def _stuck(draw: Callable[[int], npt.NDArray[Any]]) -> tuple[Numbers, Numbers]:
    reference = draw(200).astype(np.float32)
    return reference, np.full(100, np.median(reference[:199]), dtype=np.float32)


def _identical(draw: Callable[[int], npt.NDArray[Any]]) -> tuple[Numbers, Numbers]:
    reference = draw(120).astype(np.float32)
    return reference, reference.copy()


def _categorical_windows(random: np.random.Generator) -> Iterator[tuple[str, list[str | None], list[str | None]]]:
    def draw(rows: int, shares: dict[str, float]) -> list[str | None]:
        return [str(one) for one in random.choice(list(shares), rows, p=list(shares.values()))]

    three = {"a": 0.6, "b": 0.3, "c": 0.1}
    two = {"a": 0.6, "b": 0.4}
    yield "same distribution", draw(300, three), draw(100, three)
    yield "two categories, with Yates's correction", draw(300, two), draw(100, two)
    yield "two categories, shifted", draw(300, two), draw(100, {"a": 0.4, "b": 0.6})
    yield "renamed", draw(300, three), draw(100, {"A": 0.6, "b": 0.3, "c": 0.1})
    yield "one gone", draw(300, three), draw(100, two)
    yield "one category on both sides", ["a"] * 50, ["a"] * 20
    yield "one row", draw(300, three), ["c"]
    yield "nulls in a third", draw(300, three), [None if random.random() < 1 / 3 else one for one in draw(100, three)]


def _numeric(name: str, reference: Numbers, window: Numbers) -> dict[str, Any]:
    distance, p_value = ks(reference, window[~np.isnan(window)])
    return {"case": name, "reference": _json(reference), "window": _json(window), "ks": distance, "p": p_value}


def _categorical(name: str, reference: list[str | None], window: list[str | None]) -> dict[str, Any]:
    known = sorted({value for value in (*reference, *window) if value is not None})
    codes = [
        np.array([known.index(value) for value in values if value is not None], dtype=np.int16)
        for values in (reference, window)
    ]
    statistic, p_value = chi2(*codes)
    return {"case": name, "reference": reference, "window": window, "chi2": statistic, "p": p_value}


def _json(values: Numbers) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


if __name__ == "__main__":
    main()
