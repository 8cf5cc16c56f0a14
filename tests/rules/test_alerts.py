"""Each alert fires when it should, does not when it should not, says what it should, and what absent data means to it.

The cases are promtool's own test files, `<Alert>.yaml` beside this one.
"""

import subprocess
from pathlib import Path

import pytest
import yaml

from rules.rendered import ALERTS, promtool, rules

CASES = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered rules, with the cases beside them."""
    made = tmp_path_factory.mktemp("rules")
    rules().write(made)
    for name in ALERTS:
        (made / f"{name}.yaml").write_bytes((CASES / f"{name}.yaml").read_bytes())
    return made


def ran(folder: Path, *arguments: str) -> str:
    done = subprocess.run([promtool(), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules(folder: Path) -> None:
    found = sorted(
        str(path.relative_to(folder)) for part in ("alerts", "recording") for path in (folder / part).iterdir()
    )
    ran(folder, "check", "rules", "--lint=all", "--lint-fatal", *found)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_and_says_as_its_cases_expect(folder: Path, name: str) -> None:
    ran(folder, "test", "rules", "--diff", f"{name}.yaml")


@pytest.mark.parametrize("name", ALERTS)
def test_the_cases_show_an_alert_firing_and_silent_and_without_any_data(name: str) -> None:
    whole = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    # Else promtool evaluates groups in any order, and what is recorded reaches the alert a minute late now and then.
    assert len(whole["rule_files"]) == 1 or whole["group_eval_order"][-1] == name
    tests = whole["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    assert {check["alertname"] for check in checks} == {name}
    alerts = [alert for check in checks for alert in check.get("exp_alerts", [])]
    assert alerts
    for alert in alerts:
        assert {"summary", "description", "runbook_url", "dashboard_url"} == set(alert["exp_annotations"])
    assert name == "Watchdog" or any("exp_alerts" not in check for check in checks)
    assert any("input_series" not in test for test in tests)
