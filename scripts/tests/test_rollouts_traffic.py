"""When requests are due, and which labels are sent for them."""

import itertools
import random

import pytest

from rollouts.labels import Labels, items
from rollouts.manifests import Site
from rollouts.traffic import Sent, due

SAMPLES = [{"label": 0}, {"label": 1}]
SITE = Site("extra", "leeway")


def _sent(number: int, *, time: float = 0.0, status: int = 200, malformed: bool = False) -> Sent:
    return Sent(f"id-{number}", time, 0.01, status, "1.0.0", number % 2, malformed, "")


def test_requests_are_due_at_the_rate_in_order_and_alike_for_a_seed() -> None:
    def first(count: int, seed: int) -> list[float]:
        return list(itertools.islice(due(50.0, random.Random(seed)), count))  # noqa: S311 - the same draws every time

    moments = first(5000, seed=1)
    assert moments == sorted(moments)
    assert moments[-1] == pytest.approx(100, rel=0.1)  # 5000 arrivals: a standard error of 1.4 %
    assert first(10, seed=1) == moments[:10]


def test_a_request_that_was_wrong_on_purpose_has_not_failed() -> None:
    assert [_sent(1, status=0).failed, _sent(1, status=503).failed, _sent(1).failed] == [True, True, False]
    assert not _sent(1, status=400, malformed=True).failed


def test_labels_are_those_of_the_rows_that_got_a_prediction() -> None:
    sent = [_sent(0), _sent(1), _sent(2, status=500), _sent(3, status=400, malformed=True)]

    assert items(sent, SAMPLES, SITE) == [
        {"id": "id-0", "namespace": "leeway", "model": "extra", "label": 0},
        {"id": "id-1", "namespace": "leeway", "model": "extra", "label": 1},
    ]


def test_each_label_is_sent_once_and_not_before_its_time() -> None:
    now, taken = [4.0], []
    log = [_sent(0, time=0.0), _sent(1, time=2.0)]
    labels = Labels(taken.append, log, SAMPLES, SITE, clock=lambda: now[0], after=5.0)

    labels.send_due()
    assert taken == []
    for now[0] in (6.0, 6.0, 8.0, 9.0):
        labels.send_due()

    assert [[item["id"] for item in batch] for batch in taken] == [["id-0"], ["id-1"]]
