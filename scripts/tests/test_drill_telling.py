from typing import Any

from drill.faults import FAULTS
from drill.findings import Findings
from drill.telling import Screen, naive_by, summary

THIRD_OF_OCTOBER = 1380758400.0


def window(day: int, *detected: str, **ratios: float | None) -> dict[str, Any]:
    return {
        "start": f"2013-10-{day:02d}T00:00:00Z",
        "end": f"2013-10-{day + 1:02d}T00:00:00Z",
        "rows": 1000,
        "detected": list(detected),
        "ratios": {f"{name}/training": ratio for name, ratio in ratios.items()},
    }


def found(*history: dict[str, Any]) -> Findings:
    findings = Findings(THIRD_OF_OCTOBER)
    findings.take({"history": list(history), "detectors": []})
    return findings


def test_a_window_is_told_once_and_not_before_slow_detectors_had_their_time():
    screen = Screen(lambda _: [])

    assert list(screen.lines(found(window(1, slow=0.2)))) == []
    [first] = screen.lines(found(window(1, slow=0.2, tabular=0.9), window(2, slow=0.3)))
    [second] = screen.lines(found(window(1, slow=0.2, tabular=0.9), window(2, slow=0.3)), last=True)

    assert first.split()[2:4] == ["tabular/training", "0.90"]
    assert second.split()[2:4] == ["slow/training", "0.30"]


def test_the_alarms_and_the_naive_verdict_stand_beside_the_window():
    screen = Screen(lambda window: ["temp", "humid"] if window["end"] > "2013-10-04" else [])

    healthy, faulty = screen.lines(found(window(1, slow=None), window(3, "slow/training", slow=2.5)), last=True)

    assert healthy.split() == ["2013-10-02T00:00", "1000", "insufficient", "-", "-"]
    assert "fault" in faulty
    assert faulty.endswith("ALARM in 2 columns")
    assert faulty.count("slow/training") == 2


def test_many_alarms_are_counted_beside_the_first():
    [line] = Screen(lambda _: []).lines(found(window(3, "slow/training", "abrupt/trailing", slow=2.5)), last=True)

    assert "slow/training and 1 more" in line


def test_the_summary_says_who_saw_it_when_and_what_was_said_before():
    findings = found(window(1), window(2), window(3, "slow/training", slow=2.5))

    lines = list(summary(findings, FAULTS["celsius"], lambda _: ["temp"]))

    assert "slow/training raised an alarm, in whole window 1 of the fault, at 2.50 of its threshold" in lines[1]
    assert "in 0 of 2 windows" in lines[2]
    assert "2 of 2 windows before it and 1 of 1 windows with it" in lines[3]


def test_a_fault_that_nobody_saw_is_said_to_be_one():
    assert "no detector" in list(summary(found(window(1), window(3)), FAULTS["swap"], lambda _: []))[1]


def test_each_window_is_tested_once_on_the_rows_of_its_time():
    asked = []

    def rows(start: float, end: float) -> float:
        asked.append((start, end))
        return start

    naive = naive_by(rows, lambda start: ["temp"] if start == THIRD_OF_OCTOBER else [])

    assert [naive(window(3)), naive(window(3)), naive(window(4))] == [["temp"], ["temp"], []]
    assert asked == [(THIRD_OF_OCTOBER + day * 86400, THIRD_OF_OCTOBER + (day + 1) * 86400) for day in (0, 1)]
