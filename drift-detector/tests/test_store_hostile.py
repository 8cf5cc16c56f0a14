"""What strangers put into requests, ids and labels must cost nobody else a prediction, a label or an answer."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from leeway_drift.columns import Rows
from leeway_drift.labels.feedback import Label
from leeway_drift.labels.joins import Outcome
from leeway_drift.service.prediction_queue import LogLimits
from leeway_drift.service.store.database import Database, room, sqlite_url
from leeway_drift.service.store.reading import Selection, records
from leeway_drift.service.store.writing import EXPIRE_ROWS
from leeway_drift.service.tallies import FORGOTTEN_SECONDS
from tests.database_servers import server
from tests.labelling import FLIGHTS, MANIFEST, START, Logged, column, logged, logged_on, prediction

CARRIER_IS_ENTITY = {**MANIFEST, "entity_key": "carrier"}


@pytest.fixture(params=["sqlite", "postgresql"])
def under_test(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Logged]:
    if request.param == "sqlite":
        with logged(tmp_path) as log:
            yield log
    else:
        with server(request.param) as url, logged_on(url, limits=LogLimits(retry_seconds=())) as log:
            yield log


def carrying(event_id: str, carrier: str) -> object:
    features = {"dep_delay": column(1.0), "carrier": column(carrier)}
    return prediction(event_id, features=Rows.of(features, 1))


def stored(under_test: Logged) -> dict[str, dict]:
    pages = records(under_test.log.database, Selection("models", "flights"))
    return {row["event_id"]: row for page in pages for row in page}


def test_no_text_of_a_stranger_costs_the_others_of_its_batch(under_test: Logged):
    texts = ["\ud800", "nul\0", "x" * 100_000, "'; DROP TABLE leeway_predictions; --", "UA"]
    events = [carrying(f"e{number}", text) for number, text in enumerate(texts)]
    under_test.keep(*events, manifest=CARRIER_IS_ENTITY)  # type: ignore[arg-type]
    kept = stored(under_test)
    assert sorted(kept) == ["e0", "e1", "e2", "e3", "e4"]
    assert kept["e0"]["inputs"]["carrier"] == "\\ud800"
    assert kept["e1"]["inputs"]["carrier"] == "nul\0"
    assert [kept[f"e{number}"]["entity"] for number in range(5)] == [None, None, None, texts[3], "UA"]
    [decision] = under_test.log.feedback([Label("flights", None, None, texts[3], 0, 1.0, None)])
    assert [predicted.event_id for predicted in decision.predictions] == ["e3"]


def test_a_time_that_no_clock_shows_can_be_read_back(under_test: Logged):
    west = timezone(-timedelta(hours=14))
    times = {"e1": datetime.max.replace(tzinfo=west), "e2": datetime(1, 1, 1, tzinfo=UTC)}
    under_test.keep(*(prediction(name, time=time) for name, time in times.items()))
    kept = stored(under_test)
    assert (kept["e1"]["time"].year, kept["e2"]["time"].year) == (9999, 1970)
    [decision] = under_test.log.feedback([Label("flights", None, "e1", None, 0, 1.0, None)])
    assert decision.outcome is Outcome.ACCEPTED


def test_a_manifest_that_is_not_there_after_a_restart_is_not_forgotten(under_test: Logged):
    under_test.keep(carrying("e1", "UA"), manifest=CARRIER_IS_ENTITY)  # type: ignore[arg-type]
    under_test.keep(prediction("e2"), manifest=None)
    [decision] = under_test.log.feedback([Label("flights", None, None, "UA", 0, 1.0, None)])
    assert [predicted.event_id for predicted in decision.predictions] == ["e1"]


def test_an_id_that_very_many_chose_holds_up_no_other(under_test: Logged):
    under_test.keep(*(prediction(f"e{number}", response_id="1") for number in range(500)))
    labels = [Label("flights", None, key, None, 0, 1.0, None) for key in ("1", "e7", "request-e8", "nobody")]
    decisions = under_test.log.feedback(labels)
    assert [decision.outcome for decision in decisions] == ["ambiguous", "accepted", "accepted", "pending"]
    assert len(decisions[0].predictions) == 10


def test_labels_of_one_request_that_come_together_see_each_other(under_test: Logged):
    under_test.keep(prediction("e1"))
    values = [1.0, 1.0, 0.0, 1.0]
    decisions = under_test.log.feedback([Label("flights", None, "e1", None, 0, value, None) for value in values])
    assert [decision.outcome for decision in decisions] == ["accepted", "accepted", "corrected", "corrected"]
    assert stored(under_test)["e1"]["label"] == 1.0
    assert len(under_test.losses) == 1


def test_an_early_observation_that_comes_last_is_kept_and_does_not_stand(under_test: Logged):
    under_test.keep(prediction("e1"))
    under_test.clock.advance(hours=2)
    late, early = under_test.clock.now, START + timedelta(hours=1)
    labels = [Label("flights", None, "e1", None, 0, value, time) for value, time in ((1.0, late), (0.0, early))]
    assert [decision.detail for decision in under_test.log.feedback(labels)] == [
        "",
        "kept, but a later observation stands",
    ]
    row = stored(under_test)["e1"]
    assert (row["label"], row["label_observed_at"]) == (1.0, late)


def test_every_label_that_came_before_its_request_finds_it_however_many(tmp_path: Path):
    rows = 450
    with logged(tmp_path) as under_test:
        under_test.keep(prediction("first"))
        early = [Label("flights", None, "large", None, row, 1.0, None) for row in range(rows)]
        other = Label("flights", "elsewhere", "large", None, 0, 1.0, None)
        pending = under_test.log.feedback([*early, other])
        assert {decision.outcome for decision in pending} == {Outcome.PENDING}
        under_test.keep(prediction("large", (0.25,) * rows))
        under_test.log.close()  # labels are counted after the predictions they waited for
        accepted = under_test.log.tallies.versions()[FLIGHTS].labels[Outcome.ACCEPTED]
        assert under_test.log.tallies.unjoined()[Outcome.PENDING] == rows + 1  # the other still waits, and once only
    assert accepted == rows


def test_a_store_that_is_always_busy_deletes_as_much_as_it_takes(tmp_path: Path):
    rows = 2 * EXPIRE_ROWS
    with logged(tmp_path, retention=60.0) as under_test:
        for number in range(4):
            under_test.keep(prediction(f"e{number}", (0.5,) * rows))
            under_test.clock.advance(minutes=2)
        under_test.keep(prediction("last"))
        under_test.log.close()
        assert list(stored(under_test)) == ["last"]


def test_a_version_that_was_silent_for_long_has_no_series_until_its_labels_come(tmp_path: Path):
    with logged(tmp_path, retention=10**9) as under_test:
        under_test.keep(prediction("e1"))
        under_test.clock.advance(seconds=FORGOTTEN_SECONDS)
        under_test.log.offer(prediction("e2", version="2.0.0"), MANIFEST)
        under_test.log.close()
        assert [version.version for version in under_test.log.tallies.versions()] == ["2.0.0"]


@pytest.mark.parametrize("url", ["postgresql://leeway:pa@ss:word@host/db", "mysql://leeway:pa@ss@host/db", "pass"])
def test_a_password_that_is_not_encoded_is_in_no_message(url: str):
    with pytest.raises(ValueError, match="percent-encoded") as caught:
        Database(url)
    assert "ss" not in str(caught.value).replace("password", "").replace("such as", "")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("own", "free", "total", "expected"),
    [
        (0, 1000, 1000, 750),
        (700, 300, 1000, 750),
        (900, 0, 1000, 650),
        (0, 2**34, 2**34, 2**34 - 2**26),
        (0, 10, 100, 0),
    ],
)
def test_sqlite_leaves_a_part_of_its_volume_free(own: int, free: int, total: int, expected: int):
    assert room(own, free, total) == expected


def test_a_store_has_a_bound_from_its_first_connection(tmp_path: Path):
    database = Database(sqlite_url(tmp_path))
    with database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA max_page_count").scalar_one()
        page_bytes = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    database.close()
    assert 0 < pages * page_bytes < shutil.disk_usage(tmp_path).total


def test_connections_that_a_server_has_cut_are_replaced_without_a_loss():
    with server("postgresql") as url, logged_on(url, limits=LogLimits(retry_seconds=())) as under_test:
        under_test.keep(prediction("before"))
        other = Database(url)
        with other.read() as connection:
            cut = connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            assert cut.all()
        other.close()
        under_test.keep(prediction("after"))
        assert sorted(stored(under_test)) == ["after", "before"]
