"""The store on every database it claims to know, each a real server: what differs between them is what is tested."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from leeway_drift.labels.feedback import Label
from leeway_drift.labels.joins import Outcome
from leeway_drift.reading.events import Stream
from leeway_drift.service.prediction_queue import LogLimits
from leeway_drift.service.store.database import Database, sqlite_url
from leeway_drift.service.store.reading import Selection, records
from tests.database_servers import server
from tests.labelling import FLIGHTS, Logged, logged_on, prediction


@contextmanager
def database(name: str, folder: Path) -> Iterator[str]:
    if name == "sqlite":
        yield sqlite_url(folder)
    else:
        with server(name) as url:
            yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database(request.param, tmp_path_factory.mktemp("store")) as opened:
        yield opened


@pytest.fixture
def under_test(url: str) -> Iterator[Logged]:
    with logged_on(url) as log:
        yield log


def label(key: str, value: float, *, row: int = 0) -> Label:
    return Label("flights", None, key, None, row, value, None)


def stored(under_test: Logged) -> dict[str, int]:
    counts = under_test.log.tallies.versions()[FLIGHTS].predictions
    return {outcome: rows for outcome, rows in counts.items() if rows}


def rows_of(under_test: Logged, prefix: str) -> list[dict]:
    pages = records(under_test.log.database, Selection("models", "flights"))
    return [row for page in pages for row in page if row["event_id"].startswith(prefix)]


def test_an_event_is_stored_once_however_often_it_comes(under_test: Logged):
    under_test.keep(prediction("once", (0.1, 0.9)), prediction("once", (0.1, 0.9)))
    under_test.keep(prediction("once", (0.1, 0.9)))
    assert stored(under_test) == {"stored": 2, "duplicate": 4}
    assert [(row["row"], row["outputs"]["probabilities.1"]) for row in rows_of(under_test, "once")] == [
        (0, 0.1),
        (1, 0.9),
    ]


def test_ids_that_differ_in_case_or_accent_are_two(under_test: Logged):
    ids = ("Résumé", "resume", "RESUME", "rèsumé", "日本🛫")
    under_test.keep(*(prediction(f"case-{number}", response_id=name) for number, name in enumerate(ids)))
    decisions = under_test.log.feedback([label(name, 1) for name in ids])
    assert [decision.outcome for decision in decisions] == [Outcome.ACCEPTED] * len(ids)
    assert [decision.predictions[0].event_id for decision in decisions] == [f"case-{n}" for n in range(len(ids))]


def test_the_last_observation_stands_and_every_label_is_kept(under_test: Logged):
    under_test.keep(prediction("history"))
    for value in (1.0, 0.0, 1.0):
        under_test.clock.advance(hours=1)
        under_test.log.feedback([label("history", value)])
    [row] = rows_of(under_test, "history")
    assert (row["label"], row["label_observed_at"]) == (1.0, under_test.clock.now)
    with under_test.log.database.read() as connection:
        kept = connection.execute(
            text(
                "SELECT value FROM leeway_labels l JOIN leeway_predictions p ON p.id = l.prediction "
                "WHERE event_id = 'history' ORDER BY l.id"
            )
        )
        assert [value for (value,) in kept] == [1.0, 0.0, 1.0]


def test_a_label_that_comes_first_waits_for_its_prediction(under_test: Logged):
    under_test.keep(prediction("known-model"))
    [decision] = under_test.log.feedback([label("request-late", 1, row=1)])
    assert decision.outcome is Outcome.PENDING
    under_test.keep(prediction("late", (0.5, 0.25)))
    assert [row["label"] for row in rows_of(under_test, "late")] == [None, 1.0]
    assert under_test.losses[-1][2] == pytest.approx(0.5625)


def test_what_is_over_its_retention_goes_with_its_labels(under_test: Logged):
    under_test.keep(prediction("old"))
    under_test.log.feedback([label("old", 1)])
    under_test.clock.advance(days=2)
    under_test.keep(prediction("new"))
    under_test.log.close()  # ends after the expiry that follows the last batch
    assert [row["event_id"] for row in rows_of(under_test, "")] == ["new"]
    with under_test.log.database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM leeway_labels")) == 0


def test_two_replicas_write_the_same_events_once(url: str):
    with logged_on(url) as one, logged_on(url) as other:
        events = [prediction(f"shared-{number}") for number in range(50)]
        for event in events:
            one.log.offer(event, None)
        other.keep(*events, manifest=None)
        one.log.close()
        assert len(rows_of(other, "shared-")) == len(events)


def test_labels_measure_a_version(under_test: Logged):
    version = {"version": "2.0.0", "model": "measured"}
    events = [prediction(f"m{number}", (number / 100,), **version) for number in range(100)]
    under_test.keep(*events)
    under_test.log.feedback(
        [Label("measured", None, f"m{number}", None, 0, float(number >= 40), None) for number in range(100)]
    )
    [measured] = under_test.log.scores.measure("models", "measured", age=None, since=None, until=None)
    assert (measured.version, measured.labels, measured.coverage) == (Stream("models", "measured", "2.0.0"), 100, 1.0)
    assert measured.metrics["auc"] == 1.0


def test_a_store_of_another_layout_is_left_alone(tmp_path: Path):
    url = sqlite_url(tmp_path)
    with logged_on(url) as under_test:
        under_test.keep(prediction())
        with under_test.log.database.write() as connection:
            connection.execute(text("UPDATE leeway_schema SET version = 99"))
    with logged_on(url, limits=LogLimits(retry_seconds=())) as under_test:
        under_test.keep(prediction("e2"))
        assert stored(under_test) == {"store_failed": 1}
    with Database(url)._engine.connect() as connection:  # noqa: SLF001 - what is in the file, whatever the layout
        assert connection.scalar(text("SELECT count(*) FROM leeway_predictions")) == 1
