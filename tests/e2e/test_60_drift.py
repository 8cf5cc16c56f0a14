"""Drills: real flights of autumn 2013 through the endpoint, as they were and with faults, on a fast clock.

What each of them found is kept as properties of the report, build/tests/e2e.xml.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from story import Story

from drill import flights
from drill.detector import Detector, stable_version
from drill.faults import FAULTS
from drill.findings import Findings, episodes
from drill.run import WINDOW_ROWS, Plan, await_profile, run

SPEED = 43_200.0  # a day in two seconds
FROM = 1_379_217_600  # 15 September 2013
NATURAL_DAYS = 60
WARM_UP, FAULTY = 10, 5  # windows
SIDE_BY_SIDE = 4  # as many as the detector takes
# A change of season is no fault: how many detectors see it, and when, depends on the weather.
TESTED = sorted(FAULTS.keys() - {"season"})


@pytest.fixture(scope="module")
def drills(story: Story) -> dict[str, Future[Findings]]:
    """All drills, some at a time: "natural" is sixty days without a fault, the others are named by their fault."""
    version, detector = stable_version(story.kube), Detector(story.kube.kubeconfig)
    rows = flights.load()[0].since(FROM)
    natural = rows.until(rows.times[0] + NATURAL_DAYS * 86400)
    await_profile(detector, story.endpoint, version, rows.part(0, 1))
    plans = {"natural": Plan(natural, len(natural), None, 0, SPEED)}
    plans |= {name: Plan(rows, WARM_UP * WINDOW_ROWS, FAULTS[name], FAULTY * WINDOW_ROWS, SPEED) for name in TESTED}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return {name: pool.submit(run, plan, detector, story.endpoint, version) for name, plan in plans.items()}


def test_sixty_ordinary_days_raise_hardly_an_alarm(
    drills: dict[str, Future[Findings]], record_testsuite_property: Callable[[str, object], None]
) -> None:
    windows = drills["natural"].result().healthy

    assert len(windows) >= 45
    # Gaps of the weather feed are real faults of the data, on days that are known: 24 to 26 October above all.
    gaps = [episode for episode in episodes(windows) if episode[1].startswith("data_quality")]
    warnings = episodes(windows, without=["data_quality/training"])
    record_testsuite_property("ordinary", f"{len(windows)} windows, warnings {warnings}, gaps in the data {gaps}")
    assert len(warnings) <= 4, f"warnings: {warnings}; apart from them, gaps in the data: {gaps}"


@pytest.mark.parametrize("name", TESTED)
def test_a_fault_is_reported_by_who_is_to_see_it_within_three_windows(
    name: str, drills: dict[str, Future[Findings]], record_testsuite_property: Callable[[str, object], None]
) -> None:
    findings = drills[name].result()
    record_testsuite_property(name, findings.seen())

    assert len(findings.healthy) >= 8
    in_time = {alarm.detector: alarm for alarm in findings.seen() if alarm.windows <= 3}
    told = {one: in_time[one] for one in FAULTS[name].seen_by if one in in_time}
    assert told, f"{FAULTS[name].what}: expected one of {FAULTS[name].seen_by}, seen {findings.seen()}"
    assert any(FAULTS[name].column in column.split("~") for alarm in told.values() for column in alarm.columns), told
