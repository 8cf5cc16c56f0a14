"""A store that is slow, gone or full must cost predictions that are counted, and nothing else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection

from leeway_drift.labels.feedback import Label
from leeway_drift.labels.sampling import in_sample
from leeway_drift.service.prediction_queue import LogLimits
from leeway_drift.service.predictions import MAX_ROWS
from leeway_drift.service.predictions_metrics import PredictionsCollector
from leeway_drift.service.store.database import Database, StoreUnavailable, sqlite_url
from leeway_drift.service.store.reading import Selection, records
from tests.labelling import FLIGHTS, Logged, logged, prediction

AT_ONCE = LogLimits(retry_seconds=())


def counts(under_test: Logged) -> dict[str, int]:
    return {name: rows for name, rows in under_test.log.tallies.versions()[FLIGHTS].predictions.items() if rows}


class Gate(Database):
    """A database that makes writers wait until it is opened."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.opened = threading.Event()
        self.waiting = threading.Event()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.waiting.set()
        self.opened.wait()
        with super().write() as connection:
            yield connection


def test_a_slow_store_never_holds_up_who_offers(tmp_path: Path):
    gate = Gate(sqlite_url(tmp_path))
    under_test = Logged(gate, limits=LogLimits(events=3))
    under_test.log.offer(prediction("first"), None)
    gate.waiting.wait()  # the writer has it and is stuck
    for number in range(10):
        under_test.log.offer(prediction(f"e{number}"), None)
    assert counts(under_test) == {"queue_full": 7}
    gate.opened.set()
    under_test.log.close()
    assert counts(under_test) == {"stored": 4, "queue_full": 7}


def test_a_queue_is_bounded_in_bytes_too(tmp_path: Path):
    gate = Gate(sqlite_url(tmp_path))
    under_test = Logged(gate, limits=LogLimits(nbytes=5000))
    under_test.log.offer(prediction("first"), None)
    gate.waiting.wait()
    under_test.log.offer(prediction("huge", (0.5,) * 1000), None)
    assert counts(under_test) == {"queue_full": 1000}
    gate.opened.set()
    under_test.log.close()


def test_a_request_of_a_whole_table_is_counted_and_not_kept(tmp_path: Path):
    with logged(tmp_path) as under_test:
        under_test.keep(prediction("table", (0.5,) * (MAX_ROWS + 1)), prediction("request"))
        assert counts(under_test) == {"stored": 1, "too_many_rows": MAX_ROWS + 1}


def test_a_store_that_is_gone_is_counted_and_comes_back(tmp_path: Path):
    folder = tmp_path / "volume"
    with logged(folder, limits=AT_ONCE) as under_test:
        under_test.keep(prediction("e1"))
        assert counts(under_test) == {"store_failed": 1}
        with pytest.raises(StoreUnavailable, match="unable to open database file"):
            under_test.log.feedback([Label("flights", None, "e1", None, 0, 1.0, None)])
        folder.mkdir()
        under_test.keep(prediction("e2"))
        assert counts(under_test) == {"store_failed": 1, "stored": 1}


class Volume(Database):
    """A database on a volume of as many pages as a test says."""

    pages = 10**6

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with super().write() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {self.pages}")
            yield connection


def test_a_full_store_is_counted_and_comes_back(tmp_path: Path):
    volume = Volume(sqlite_url(tmp_path))
    under_test = Logged(volume, limits=AT_ONCE)
    under_test.keep(prediction("e1"))
    volume.pages = 1  # SQLite takes it for the pages there are
    under_test.keep(prediction("large", (0.5,) * 1000))
    assert counts(under_test) == {"stored": 1, "store_failed": 1000}
    volume.pages = 10**6
    under_test.keep(prediction("e2"))
    assert counts(under_test) == {"stored": 2, "store_failed": 1000}
    under_test.log.close()


def test_a_fault_of_our_own_costs_its_batch_and_not_the_log(tmp_path: Path):
    with logged(tmp_path) as under_test:
        under_test.profiles[FLIGHTS] = object()  # type: ignore[assignment]  # no profile at all
        under_test.keep(prediction("e1"))
        under_test.profiles.clear()
        under_test.keep(prediction("e2"))
    assert counts(under_test) == {"store_failed": 1, "stored": 1}


def test_a_sample_is_decided_by_the_event_and_by_nothing_else(tmp_path: Path):
    with logged(tmp_path, sample=0.25) as under_test:
        under_test.keep(*(prediction(f"e{number}") for number in range(200)))
        kept = {row["event_id"] for page in records(under_test.log.database, Selection()) for row in page}
    assert kept == {f"e{number}" for number in range(200) if in_sample(f"e{number}", 0.25)}
    assert counts(under_test) == {"stored": len(kept), "unsampled": 200 - len(kept)}
    assert 30 < len(kept) < 70


def test_nothing_and_everything_are_samples_too():
    assert not any(in_sample(str(number), 0.0) for number in range(100))
    assert all(in_sample(str(number), 1.0) for number in range(100))


def test_a_label_that_waits_too_long_is_unknown(tmp_path: Path):
    with logged(tmp_path) as under_test:
        under_test.keep(prediction("e1"))
        under_test.log.feedback([Label("flights", None, "never", None, 0, 1.0, None)])
        under_test.clock.advance(hours=2)
        under_test.keep(prediction("e2"))
    assert under_test.log.tallies.unjoined() == {"pending": 1, "unknown": 1, "ambiguous": 0, "invalid": 0}


def test_series_begin_at_zero_and_end_with_their_version(tmp_path: Path):
    with logged(tmp_path) as under_test:
        registry = CollectorRegistry()
        registry.register(PredictionsCollector(under_test.log))
        place = {"namespace": "models", "model": "flights", "version": "1.0.0"}
        assert registry.get_sample_value("leeway_drift_predictions_total", {**place, "outcome": "stored"}) is None
        under_test.keep(prediction("e1", (0.5, 0.5)))
        under_test.clock.advance(hours=2)
        under_test.log.feedback([Label("flights", None, "e1", None, 1, 1.0, None)])
        assert registry.get_sample_value("leeway_drift_predictions_total", {**place, "outcome": "stored"}) == 2
        assert registry.get_sample_value("leeway_drift_predictions_total", {**place, "outcome": "queue_full"}) == 0
        assert registry.get_sample_value("leeway_drift_labels_total", {**place, "outcome": "accepted"}) == 1
        assert registry.get_sample_value("leeway_drift_label_delay_seconds_sum", place) == 7200
        bucket = {**place, "le": "21600.0"}
        assert registry.get_sample_value("leeway_drift_label_delay_seconds_bucket", bucket) == 1
        # one label says nothing of a metric: no series, not a zero
        assert registry.get_sample_value("leeway_drift_performance", {**place, "metric": "auc"}) is None
        under_test.log.forget("models", "flights", "1.0.0")
        assert registry.get_sample_value("leeway_drift_predictions_total", {**place, "outcome": "stored"}) is None
