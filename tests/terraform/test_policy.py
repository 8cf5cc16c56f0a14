"""What the field knows to go wrong: checkov, with a reason in terraform/.checkov.yaml for what does not hold here."""

import json
import re

import yaml

from cluster import paths
from cluster.shell import run
from terraform.conftest import SOURCE

_PROJECT = paths.REPOSITORY / "tests/terraform/policy"


def test_the_policy_scanner_finds_nothing() -> None:
    # The findings are asked for, not the exit code: what could not be parsed is only in them.
    command = [
        paths.uv(),
        "run",
        "--quiet",
        "--frozen",
        "--project",
        _PROJECT,
        "checkov",
        "--skip-download",
        "--soft-fail",
    ]
    told = run([*command, "--directory", SOURCE, "--output", "json"], cwd=SOURCE)
    report = json.loads(told)
    found = [f"{each['check_id']} {each['resource']}" for each in report["results"]["failed_checks"]]
    assert found == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 100, "it looked at all modules"


def test_every_exception_has_its_reason() -> None:
    text = (SOURCE / ".checkov.yaml").read_text(encoding="utf-8")
    reasons = dict(re.findall(r"^  - (CKV2?_AWS_\d+) +# (modules/\w+: .+)$", text, re.MULTILINE))
    assert sorted(reasons) == sorted(yaml.safe_load(text)["skip-check"])
