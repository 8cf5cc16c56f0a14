"""Concept on real numbers: labels in, a judgement, its persistence and every metric of the list out."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml
from prometheus_client import CollectorRegistry

from leeway_drift.counting.plan import Plan
from leeway_drift.detectors.interface import Verdict
from leeway_drift.labels.feedback import Label
from leeway_drift.service.predictions_metrics import PredictionsCollector
from tests.labelling import FLIGHTS, Logged, logged, prediction

LISTED = {
    entry["name"]: entry
    for entry in yaml.safe_load((Path(__file__).parents[2] / "schemas" / "metrics.yaml").read_text())["metrics"]
}
SPREAD = {
    "auc": {"mean": 0.75, "sd": 0.05, "windows": 40},
    "calibration_gap": {"mean": 0.0, "sd": 0.02, "windows": 40},
}


@dataclass(frozen=True)
class KnownSpread:
    """As much of a profile as labels need."""

    performance: dict = field(default_factory=lambda: SPREAD)
    window_rows: int = 500
    calibrated: bool = True
    plan: Plan = field(default_factory=lambda: Plan({}, {}))


def window(under_test: Logged, number: int, *, late_share: float) -> None:
    """500 labelled predictions whose mean probability is 0.5, of which a share turned out to be true."""
    probabilities = (np.arange(500) + 0.5) / 500
    order = np.argsort(probabilities + np.sin(np.arange(500) * 12.9898) * 0.3)
    late = np.zeros(500)
    late[order[500 - int(500 * late_share) :]] = 1
    under_test.clock.advance(days=1)
    event = f"window-{number}"
    under_test.keep(prediction(event, tuple(probabilities), time=under_test.clock.now))
    labels = [Label("flights", None, event, None, row, float(value), None) for row, value in enumerate(late)]
    under_test.log.feedback(labels)
    under_test.clock.advance(minutes=1)  # it does not measure more often
    under_test.log.scores.refresh()


def test_a_model_that_lost_its_calibration_is_detected_at_the_second_window_and_not_before(tmp_path: Path):
    with logged(tmp_path, retention=10**9) as under_test:
        under_test.profiles[FLIGHTS] = KnownSpread()  # type: ignore[assignment]
        told = []
        for number, share in enumerate([0.5, 0.5, 0.3, 0.3]):
            window(under_test, number, late_share=share)
            score = under_test.log.scores.latest()[FLIGHTS]
            told.append((score.concept.verdict, score.detected))
        registry = CollectorRegistry()
        registry.register(PredictionsCollector(under_test.log))
        families = list(registry.collect())
    assert told == [
        (Verdict.WITHIN, False),
        (Verdict.WITHIN, False),
        (Verdict.OVER, False),
        (Verdict.OVER, True),
    ]
    assert score.concept.columns[0].name == "calibration_gap"
    assert score.calibration_gap_ratio == pytest.approx(0.2 / 0.06, rel=1e-3)
    for family in families:
        listed = LISTED[family.name + ("_total" if family.type == "counter" else "")]
        assert (listed["type"], listed["help"]) == (family.type, family.documentation)
        assert family.samples
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(listed["labels"])


def test_labels_without_a_profile_are_measured_and_not_judged(tmp_path: Path):
    with logged(tmp_path, retention=10**9) as under_test:
        window(under_test, 0, late_share=0.3)
        score = under_test.log.scores.latest()[FLIGHTS]
    assert (score.concept.verdict, score.concept.reason) == (
        Verdict.INSUFFICIENT,
        "no profile of this version is known",
    )
    assert score.performance.metrics["calibration_gap"] == pytest.approx(0.2, abs=1e-3)
