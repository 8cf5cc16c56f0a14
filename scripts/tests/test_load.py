"""Load tests: the shapes in time, what counts as a miss, what autoscalers did, and where no load may go."""

import math
from pathlib import Path

import pytest

from cluster import paths
from cluster.https import Endpoint
from load import __main__ as load_test
from load import scaling
from load.profiles import Shape
from load.slo import Objective, Result, read

_HEAD = "Type,Name,Request Count,Failure Count,50%,95%,99%\n"


def test_a_steady_load_is_its_rate_until_it_ends() -> None:
    shape = Shape("steady", rate=50, seconds=60)

    assert [shape.rate_at(second) for second in (0, 30, 59.9, 60)] == [50, 50, 50, 0]
    assert shape.requests == 3000


def test_a_burst_is_four_times_the_rate_in_ten_of_thirty_seconds() -> None:
    shape = Shape("burst", rate=20, seconds=60)

    assert [shape.rate_at(second) for second in (0, 19.9, 20, 29.9, 30, 55)] == [20, 20, 80, 80, 20, 80]
    assert shape.requests == 2 * (20 * 20 + 10 * 80)


def test_a_ramp_grows_from_a_tenth_to_its_rate() -> None:
    shape = Shape("ramp", rate=100, seconds=100)
    rates = [shape.rate_at(second) for second in range(100)]

    assert (rates[0], rates[-1]) == (10, 99)
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("profile", "rate", "seconds", "message"),
    [
        ("stedy", 1, 1, "PROFILE=stedy: expected one of steady, burst, ramp"),
        ("steady", 0, 1, "RATE=0: 0 requests per second at the peak, expected 1 to 400"),
        ("burst", 101, 1, "RATE=101: 404 requests per second at the peak"),
        ("steady", 1, 100_000, "SECONDS=100000: expected 1 to 1800"),
    ],
)
def test_a_shape_out_of_bounds_is_refused(profile: str, rate: int, seconds: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shape(profile, rate, seconds)


def test_an_objective_that_is_met_has_no_misses() -> None:
    assert list(Objective(99.9, 200).misses(Result(3000, 3, 8, 20, 200), due=3000)) == []


def test_each_part_of_an_objective_that_is_missed_is_named_with_both_figures() -> None:
    missed = list(Objective(99.9, 200).misses(Result(1000, 2, 8, 20, 201), due=3000))

    assert missed == [
        "1000 requests were sent, expected at least 90% of the 3000 due",
        "availability 99.800 %, expected at least 99.9 % (2 of 1000 requests failed)",
        "p99 201 ms, expected at most 200 ms",
    ]


def test_a_run_without_requests_misses_everything(tmp_path: Path) -> None:
    file = tmp_path / "run_stats.csv"
    file.write_text(f"{_HEAD},Aggregated,0,0,N/A,N/A,N/A\n", encoding="utf-8")

    result = read(file)

    assert math.isnan(result.p99)
    assert len(list(Objective(99.9, 200).misses(result, due=10))) == 3


def test_the_line_over_all_requests_is_what_is_judged(tmp_path: Path) -> None:
    file = tmp_path / "run_stats.csv"
    file.write_text(f"{_HEAD}POST,/v2 1.0.0,10,0,5,6,7\n,Aggregated,30,1,8,20,90\n", encoding="utf-8")

    assert read(file) == Result(30, 1, 8, 20, 90)


def test_a_file_without_that_line_is_no_result(tmp_path: Path) -> None:
    file = tmp_path / "run_stats.csv"
    file.write_text(_HEAD, encoding="utf-8")

    with pytest.raises(ValueError, match="expected a line named Aggregated"):
        read(file)


def test_the_trace_of_an_autoscaler_is_told_by_its_changes() -> None:
    def listed(replicas: int, desired: int, cpu: int | None) -> dict[str, object]:
        metrics = (
            None
            if cpu is None
            else [{"type": "ContainerResource", "containerResource": {"current": {"averageUtilization": cpu}}}]
        )
        status = {"currentReplicas": replicas, "desiredReplicas": desired, "currentMetrics": metrics}
        return {"items": [{"metadata": {"name": "flights-a-scale"}, "status": status}]}

    looks = [listed(1, 1, None), listed(1, 1, 30), listed(1, 3, 210), listed(3, 3, 80)]
    trace = [sample for second, look in enumerate(looks) for sample in scaling.samples(look, second=second)]

    assert [(sample.second, sample.replicas, sample.desired, sample.cpu) for sample in scaling.changes(trace)] == [
        (0, 1, 1, ""),
        (2, 1, 3, "210"),
        (3, 3, 3, "80"),
    ]


def test_no_load_goes_to_an_address_that_is_not_the_built_in_cluster_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cluster = paths.ClusterPaths("other")
    with pytest.raises(load_test.NotLocalError, match="expected an address of the cluster other"):
        load_test.check_local(cluster, Endpoint("flights.example.com", "10.203.3.1", tmp_path))

    cluster.state.mkdir(parents=True)
    (cluster.state / "addresses.json").write_text('{"index": 3}', encoding="utf-8")
    load_test.check_local(cluster, Endpoint("flights.example.com", "10.203.3.1", tmp_path))
    with pytest.raises(load_test.NotLocalError, match=r"93\.184\.216\.34"):
        load_test.check_local(cluster, Endpoint("flights.example.com", "93.184.216.34", tmp_path))
