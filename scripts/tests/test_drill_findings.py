from typing import Any

from drill.findings import Findings, episodes


def window(day: int, *detected: str, **ratios: float) -> dict[str, Any]:
    return {
        "start": f"2013-10-{day:02d}T00:00:00Z",
        "end": f"2013-10-{day + 1:02d}T00:00:00Z",
        "rows": 1000,
        "detected": list(detected),
        "ratios": {name.replace("_", "/"): ratio for name, ratio in ratios.items()},
    }


def status(*history: dict[str, Any], column: str = "temp") -> dict[str, Any]:
    last = history[-1]
    return {
        "history": list(history),
        "detectors": [
            {
                "detector": "slow",
                "reference": "training",
                "detected": "slow/training" in last["detected"],
                "window": {"start": last["start"], "end": last["end"], "rows": last["rows"]},
                "columns": [
                    {"name": column, "score_ratio": 2.0, "statistics": {}},
                    {"name": "humid", "score_ratio": 0.5, "statistics": {}},
                    {"name": "rain", "score_ratio": None, "statistics": {}},
                ],
            },
            {"detector": "concept", "reference": "training", "detected": False, "window": None, "columns": []},
        ],
    }


THIRD_OF_OCTOBER = 1380758400.0


def test_an_alarm_after_the_fault_is_found_with_its_column_ratio_and_delay():
    findings = Findings(THIRD_OF_OCTOBER)
    first = [window(1, slow_training=0.4), window(2, slow_training=0.5)]
    findings.take(status(*first))
    findings.take(status(*first, window(3, slow_training=1.5)))
    findings.take(status(*first, window(3, slow_training=1.5), window(4, "slow/training", slow_training=2.0)))
    findings.take(status(*first, window(4, "slow/training"), window(5, "slow/training"), column="wind_speed"))

    [seen] = findings.seen()

    assert (seen.detector, seen.windows, seen.columns) == ("slow/training", 2, ("temp",))
    assert [entry["end"][:10] for entry in findings.healthy] == ["2013-10-02", "2013-10-03"]


def test_an_alarm_that_was_on_before_the_fault_is_no_finding():
    findings = Findings(THIRD_OF_OCTOBER)
    findings.take(status(window(1), window(2, "slow/training"), window(3, "slow/training")))

    assert findings.seen() == []


def test_the_window_in_which_the_fault_began_is_no_whole_window_of_it():
    findings = Findings(THIRD_OF_OCTOBER + 3600)
    findings.take(status(window(1), window(2), window(3, "data_quality/training"), window(4, "slow/training")))

    assert {seen.detector: seen.windows for seen in findings.seen()} == {"data_quality/training": 0, "slow/training": 1}


def test_an_episode_is_counted_when_it_begins_and_not_while_it_lasts():
    windows = [window(1), window(2, "slow/training"), window(3, "slow/training"), window(4), window(5, "slow/training")]

    assert [end[:10] for end, _ in episodes(windows)] == ["2013-10-03", "2013-10-06"]


def test_detectors_can_be_left_out_of_the_episodes():
    windows = [window(1, "data_quality/training", "slow/training")]

    assert [name for _, name in episodes(windows, without=["data_quality/training"])] == ["slow/training"]
