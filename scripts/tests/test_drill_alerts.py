"""What is drilled, in whose release, with what; and what of it a person reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from drill.alerts import telling
from drill.alerts.bundle import named, shortened
from drill.alerts.catalog import DRILLS, UnknownDrillError, Verify, chosen
from drill.alerts.follow import Promise
from drill.alerts.injections import accustomed
from drill.alerts.outcome import Outcome, in_slack, outcome_of
from drill.alerts.requests import requests
from drill.alerts.runbook import NoStepsError, first_steps
from drill.alerts.world import Shared, promise_of, receives
from drill.api import RefusedError
from drill.faults import FAULTS
from drill.flights import Flights

REPOSITORY = Path(__file__).parents[2]


def rule_of(alert: str) -> str:
    return (REPOSITORY / f"charts/leeway/files/rules/alerts/{alert}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("alert", DRILLS)
def test_a_drill_is_of_an_alert_of_the_chart_raised_by_the_release_that_has_its_rule(alert: str) -> None:
    drill = DRILLS[alert]
    of_models = "\ncomponent: models\n" in f"\n{rule_of(alert)}"
    assert drill.platform is not of_models
    assert drill.name or drill.platform
    assert drill.raised_in == ("leeway" if drill.platform else drill.name)


def test_each_model_of_a_drill_is_its_own() -> None:
    names = [drill.name for drill in DRILLS.values() if drill.name]
    assert len(set(names)) == len(names)
    assert all(name.startswith("drill-") for name in names)
    renamed = DRILLS["ModelErrors"].in_run("0a1b")
    assert renamed.labels["model"] == renamed.labels["model_namespace"] == renamed.raised_in == renamed.name


def test_drills_are_chosen_by_name_or_all_of_them() -> None:
    assert [drill.alert for drill in chosen(["DriftAbrupt", "ModelErrors", "DriftAbrupt"])] == [
        "ModelErrors",
        "DriftAbrupt",
    ]
    assert chosen(["all"]) == list(DRILLS.values())
    with pytest.raises(UnknownDrillError, match=r"DriftAbrubt: no drill.*DriftAbrupt.*TargetDown"):
        chosen(["DriftAbrubt"])


def test_what_other_drills_need_is_taken_down_after_them() -> None:
    down = {alert for alert, drill in DRILLS.items() if drill.takes_down}
    assert down == {"DetectorDown", "OperatorNotReconciling"}
    assert all(DRILLS[alert].injection == Verify() for alert in down)


def message(title: str) -> dict[str, Any]:
    return {"by": "webhook", "body": {"attachments": [{"title": title, "text": "", "color": "", "actions": []}]}}


@pytest.mark.parametrize(
    ("title", "state", "said"),
    [
        ("[FIRING:1] ModelErrors: drill-errors (drill-errors)", "FIRING", True),
        ("[FIRING:2] ModelErrors: drill-errors 1.0.0 (drill-errors)", "FIRING", True),
        ("[RESOLVED] ModelErrors: drill-errors (drill-errors)", "RESOLVED", True),
        ("[RESOLVED] ModelErrors: drill-errors (drill-errors)", "FIRING", False),
        ("[FIRING:1] ModelErrors: drill-errors-2 (drill-errors-2)", "FIRING", False),
        ("[FIRING:1] ModelErrorsMany: drill-errors (drill-errors)", "FIRING", False),
    ],
)
def test_a_message_is_known_by_its_title(title: str, state: str, *, said: bool) -> None:
    assert in_slack(DRILLS["ModelErrors"], [message(title)], state) is said


def test_a_message_about_the_platform_names_no_model() -> None:
    assert in_slack(DRILLS["DetectorDown"], [message("[FIRING:1] DetectorDown")], "FIRING")
    assert not in_slack(DRILLS["DetectorDown"], [message("[FIRING:1] DetectorDownAgain")], "FIRING")


def test_flights_are_asked_about_together_and_with_a_fault() -> None:
    temperatures: list[Any] = [32.0 + 1.8 * number for number in range(25)]
    flights = Flights(list(range(25)), {"temp": temperatures, "carrier": ["UA"] * 25}, [0, 1] * 12 + [1])
    alone = requests(flights, 1)
    assert [one["label"] for one in alone] == flights.labels
    assert alone[3]["v2"]["inputs"][0] == {"name": "temp", "datatype": "FP32", "shape": [1, 1], "data": [37.4]}
    together = requests(flights, 10)
    assert [[tensor["shape"] for tensor in one["v2"]["inputs"]] for one in together] == [[[10, 1], [10, 1]]] * 2
    celsius = requests(flights, 10, FAULTS["celsius"])[1]["v2"]["inputs"]
    assert celsius[0]["data"] == pytest.approx(range(10, 20))
    assert celsius[1] == {"name": "carrier", "datatype": "BYTES", "shape": [10, 1], "data": ["UA"] * 10}
    missing = requests(flights, 10, FAULTS["nulls"])[0]["v2"]["inputs"][0]["data"]
    assert [value is None for value in missing] == [True] * 3 + [False] * 7


def test_a_bundle_with_short_windows_differs_in_nothing_else() -> None:
    profile = {"rows": 5, "window": {"rows": 1000, "seconds": 86400.0}, "calibration": {"abrupt": 1}}
    assert shortened(profile) == {"rows": 5, "window": {"rows": 1000, "seconds": 10}, "calibration": {"abrupt": 1}}
    files = {name: {"sha256": "0", "bytes": 1} for name in ("model.onnx", "drift-profile.json", "drift-reference.npz")}
    manifest = named({"version": "1.0.0", "files": files}, b"{}")
    assert manifest["version"] == "1.0.0"
    assert manifest["files"] == {
        "model.onnx": {"sha256": "0", "bytes": 1},
        "drift-profile.json": {
            "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "bytes": 2,
        },
    }


def test_the_detector_is_accustomed_once_it_has_compared_windows() -> None:
    def status(verdict: str) -> dict[str, Any]:
        other = {"detector": "relation", "reference": "training", "verdict": "within"}
        return {"detectors": [other, {"detector": "abrupt", "reference": "trailing", "verdict": verdict}]}

    assert [accustomed(status(one)) for one in ("insufficient", "over", "within")] == [False, False, True]


def test_a_promise_is_that_of_the_releases_own_rule() -> None:
    def rule(namespace: str, seconds: float) -> dict[str, Any]:
        return {"name": "ModelErrors", "duration": seconds, "labels": {"namespace": namespace}}

    groups = [
        {"interval": 30, "rules": [rule("leeway", 60), rule("drill-errors", 900)]},
        {"interval": 60, "rules": [rule("drill-errors", 300)]},
    ]
    assert promise_of(groups, "ModelErrors", "drill-errors") == Promise(seconds=300, interval=60)
    assert promise_of(groups, "ModelErrors", "drill-other") is None
    assert promise_of(groups, "ModelNotLoaded", "drill-errors") is None


def test_receivers_are_loaded_once_the_configuration_that_runs_has_them() -> None:
    running = "receivers:\n- name: leeway/leeway/default-warning\n"
    assert receives(running, "leeway")
    assert not receives(running, "drill-errors")
    assert not receives("route: {receiver: x}\n", "leeway")


def test_threads_share_an_answer_and_keep_the_last_one_while_nobody_answers() -> None:
    clock = [0.0]
    answers: list[Any] = [[1], RefusedError(503, "no endpoints"), [2]]
    asked = []

    def ask() -> list[int]:
        answer = answers[len(asked)]
        asked.append(clock[0])
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    shared = Shared(ask, lambda: clock[0])
    seen = []
    for clock[0] in (0.0, 1.0, 2.5, 3.0, 5.0):
        seen.append(list(shared()))
    assert seen == [[1], [1], [1], [1], [2]]
    assert asked == [0.0, 2.5, 5.0]


@pytest.mark.parametrize("alert", DRILLS)
def test_a_runbook_begins_with_steps_and_their_commands(alert: str) -> None:
    page = (REPOSITORY / f"docs/runbooks/{alert}.md").read_text(encoding="utf-8")
    steps = first_steps(page)
    assert steps.startswith("1. **")
    assert "\n2. **" in steps
    assert "\n3. **" not in steps
    assert "$ " in steps
    assert steps in page


def test_a_page_without_steps_is_an_error() -> None:
    with pytest.raises(NoStepsError, match="in a section `## Diagnosis`"):
        first_steps("# X\n\n## Meaning\n\n1. **A?**\n\n## Diagnosis\n\nLook.\n\n## Mitigation\n\n1. **B.**\n")


def told(alert: str, **known: Any) -> Outcome:
    return outcome_of(DRILLS[alert], promised=440.0, **known)


def test_the_table_has_seconds_and_titles_and_gaps_last() -> None:
    late = told("ModelErrors", gap="it did not fire within 440 s")
    good = told("DriftAbrupt", seconds=101.2, resolved_seconds=40.0, title="[FIRING:1] DriftAbrupt: drill-drift")
    lines = telling.table([late, good], DRILLS.values()).splitlines()
    assert lines[0].split() == ["ALERT", "FAULT", "SLACK", "PROMISED", "RESOLVED", "MESSAGE"]
    assert lines[1].startswith("DriftAbrupt")
    assert lines[1].endswith("101 s  440 s     40 s      [FIRING:1] DriftAbrupt: drill-drift")
    assert lines[2].endswith("-      440 s     -         MISSING: it did not fire within 440 s")
    assert lines[-1] == "1 of 2 alerts reached Slack in time: 1 gap"


def test_a_message_is_shown_as_slack_shows_it() -> None:
    shown = telling.message(
        told("DriftAbrupt", title="[FIRING:1] X", text="*a*\nb", color="warning", actions={"Runbook": "https://x"})
    )
    assert shown.splitlines() == [
        "Slack (yellow):",
        "  | [FIRING:1] X",
        "  | *a*",
        "  | b",
        "  | [Runbook] https://x",
    ]


def test_outcomes_are_told_to_machines() -> None:
    (document,) = json.loads(telling.document([told("DriftAbrupt", seconds=101.2)]))
    assert {"alert", "seconds", "promised", "resolved_seconds", "title", "text", "subject_of_mail", "gap"} <= set(
        document
    )


def test_lines_begin_with_the_time_since_the_beginning() -> None:
    clock, lines = iter([100.0, 100.4, 225.0]), list[str]()
    say = telling.timed(lines.append, now=lambda: next(clock))
    say("a")
    say("b")
    assert lines == ["  0:00  a", "  2:05  b"]


def test_a_list_of_drills_says_how_long_each_takes() -> None:
    lines = telling.listed(DRILLS.values()).splitlines()
    assert len(lines) == 1 + len(DRILLS)
    assert lines[1].split()[:2] == ["ModelErrors", str(DRILLS["ModelErrors"].minutes)]
