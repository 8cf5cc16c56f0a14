"""The native statistics of `tabular` are Alibi-Detect's own, to the last digit that it gives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leeway_drift.detectors.tabular import chi2_two_sample, ks_two_sample

GOLDEN = json.loads((Path(__file__).parent / "golden/alibi_tabular.json").read_text())


def named(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["case"]) for case in GOLDEN[kind]]


@pytest.mark.parametrize("case", named("numeric"))
def test_distance_and_p_value_of_numbers_are_those_of_alibi(case: dict[str, Any]) -> None:
    reference = np.sort(np.array(case["reference"], dtype=np.float32))
    window = np.array([value for value in case["window"] if value is not None], dtype=np.float32)

    distance, p_value = ks_two_sample(reference, window)

    assert distance == pytest.approx(case["ks"], abs=1e-6)
    assert p_value == pytest.approx(case["p"], abs=1e-6)


@pytest.mark.parametrize("case", named("categorical"))
def test_statistic_and_p_value_of_categories_are_those_of_alibi(case: dict[str, Any]) -> None:
    categories = sorted({value for value in case["reference"] + case["window"] if value is not None})
    counts = [
        np.array([case[side].count(category) for category in categories], dtype=np.int64)
        for side in ("reference", "window")
    ]

    statistic, p_value = chi2_two_sample(*counts)

    assert statistic == pytest.approx(case["chi2"], rel=1e-6, abs=1e-6)
    assert p_value == pytest.approx(case["p"], abs=1e-6)
