"""Labels that wait: all of them come, each with its own minute and its own rollout."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from leeway_operators.evidence.ticks import CounterTick, DetectorTick
from leeway_operators.simulate.batch import Flags
from leeway_operators.simulate.traffic import Arm, Counts, Traffic, constant
from leeway_operators.simulate.watching import Scenario, watch

ROLLOUTS = 200
ARM = Arm(errors=constant(0.0), loss=0.1)
TRAFFIC = Traffic(rps=10, stable=ARM, candidate=ARM, hardness=lambda time: 0.8 * time / 60)
SCENARIO = Scenario(traffic=TRAFFIC, duration=60, weight=0.5, detected=True, labels_at=60)


@dataclass
class Notes:
    """Keeps what it is shown, and is done with half of the rollouts after the second tick."""

    rows: list[Counts] = field(default_factory=list)
    came: list[int] = field(default_factory=list)
    last: DetectorTick | None = None

    def look(self, counters: CounterTick, detector: DetectorTick | None) -> Sequence[Flags]:
        assert detector is not None
        self.rows.append(np.asarray(counters.predicted.candidate))
        self.came.append(len(detector.candidate.losses))
        self.last = detector
        done = np.arange(self.rows[-1].size) % 2 == 0 if len(self.rows) == 2 else np.zeros(self.rows[-1].size, np.bool_)
        return [done]

    def keep(self, rows: Flags) -> Self:
        self.rows = [known[rows] for known in self.rows]
        return self


def test_labels_wait_and_come_together_each_tick_of_predictions_by_itself() -> None:
    notes = Notes()
    watch(SCENARIO, [notes], rollouts=ROLLOUTS, rng=np.random.default_rng(3))
    assert notes.came == [0, 0, 0, 0, 0, 6]
    assert notes.last is not None
    losses = notes.last.candidate.losses
    for rows, told in zip(notes.rows, losses, strict=True):
        assert rows.size == ROLLOUTS // 2
        np.testing.assert_array_equal(told.n, rows)
    means = [float(np.sum(told.sum) / np.sum(told.n)) for told in losses]
    np.testing.assert_allclose(means, [0.1 + 0.8 * tick / 6 for tick in range(6)], atol=0.03)


def test_without_waiting_each_label_comes_with_its_prediction() -> None:
    notes = Notes()
    watch(replace(SCENARIO, labels_at=None), [notes], rollouts=ROLLOUTS, rng=np.random.default_rng(3))
    assert notes.came == [1] * 6
