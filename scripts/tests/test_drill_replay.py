import pytest

from drill.faults import FAULTS
from drill.flights import Flights
from drill.replay import Request, pace, requests
from drill.run import Plan


def hourly(rows: int) -> Flights:
    """One flight an hour, whose distance is its number."""
    return Flights([3600 * row for row in range(rows)], {"distance": [float(row) for row in range(rows)]})


def values(request: Request) -> list[float]:
    return request.body["inputs"][0]["data"]


def test_every_flight_is_sent_once_in_order_and_due_when_its_batch_is_complete():
    due = requests(hourly(200), healthy=100, fault=FAULTS["km"], faulty=100)

    assert [value for request in due[:2] for value in values(request)] == [float(row) for row in range(100)]
    assert values(due[2])[0] == pytest.approx(100 * 1.609344)
    assert [request.due for request in due] == [3600 * 49, 3600 * 99, 3600 * 149, 3600 * 199]


def test_a_season_is_later_flights_on_an_unbroken_clock():
    due = requests(hourly(3000), healthy=100, fault=FAULTS["season"], faulty=50)

    assert values(due[2])[0] == 100 + 70 * 24
    assert due[2].due == 3600 * 149


def test_a_replay_without_a_fault_sends_all_as_they_are():
    assert len(requests(hourly(100), healthy=100, fault=None, faulty=0)) == 2


@pytest.mark.parametrize(("healthy", "faulty", "message"), [(400, 50, "300 flights"), (100, 250, "after the fault")])
def test_too_few_flights_are_refused(healthy: int, faulty: int, message: str):
    with pytest.raises(ValueError, match=message):
        requests(hourly(300), healthy=healthy, fault=FAULTS["km"], faulty=faulty)


def test_pacing_waits_for_what_is_due_and_catches_up_when_late():
    now, waits, sent = [0.0], [], []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    def send(body: dict[str, object]) -> None:
        sent.append((now[0], body["row"]))
        now[0] += 3.0  # a slow answer

    due = [Request(10.0, {"row": 1}), Request(20.0, {"row": 2}), Request(100.0, {"row": 3})]
    pace(due, send, speed=10.0, clock=lambda: now[0], sleep=sleep)

    assert sent == [(1.0, 1), (4.0, 2), (10.0, 3)]
    assert waits == [1.0, 3.0]


def test_missing_values_and_strings_have_their_types_in_a_request():
    flights = Flights([0, 1], {"temp": [None, 1.5], "carrier": ["AA", "UA"]})

    body = requests(Flights(flights.times * 25, {k: v * 25 for k, v in flights.columns.items()}),
                    healthy=50, fault=None, faulty=0)[0].body  # fmt: skip

    assert [(part["name"], part["datatype"], part["shape"]) for part in body["inputs"]] == [
        ("temp", "FP32", [50, 1]),
        ("carrier", "BYTES", [50, 1]),
    ]
    assert body["inputs"][0]["data"][:2] == [None, 1.5]


def test_the_rows_of_a_window_are_those_that_the_model_gets_in_it():
    plan = Plan(hourly(3000), 100, FAULTS["km"], 100, speed=1.0)

    assert plan.rows(3600 * 98, 3600 * 102)["distance"] == pytest.approx([98, 99, 160.9344, 101 * 1.609344])


def test_the_rows_of_another_season_are_those_of_later():
    plan = Plan(hourly(3000), 100, FAULTS["season"], 100, speed=1.0)

    assert plan.rows(3600 * 99, 3600 * 101)["distance"] == [99, 100 + 70 * 24]
