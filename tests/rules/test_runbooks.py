"""The runbooks: one for each alert, whole, with commands, metrics, values and links that exist."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rules.rendered import ALERTS, CHART, Rules, promtool, rules

ROOT = CHART.parents[1]
RUNBOOKS = ROOT / "docs" / "runbooks"
INDEX = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in RUNBOOKS.glob("*.md") if page.stem != "README"}
TEXTS = {**PAGES, "README": INDEX}

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
ENDINGS = ["What not to do.", "When it ends.", "What else fires."]
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"kubectl leeway [^`|#;&)\n]+")
_ASKED = re.compile(r"""\bask "([^"]*)\"""")
_METRIC = re.compile(
    r"\b(?:(?:leeway(?!_dev_)|envoy|kube|container|certmanager|prometheus|alertmanager)_[a-z0-9_]+"
    r"|(?:model|model_code):[a-z0-9_]+:[a-z0-9_]+)"
)
_VALUE = re.compile(
    r"`((?:autoscaling|capture|driftDetector|gateway|images|modelDefaults|monitoring|networkPolicy|operator|scaling"
    r"|servingRuntime|slo)\.[A-Za-z.]+)`"
)
_LINK = re.compile(r"\[[^]]+\]\(([^)\s]+)\)")
_PARSE = """
import contextlib, io, json, shlex, sys
from leeway_operators.cli.main import arguments
wrong = {}
for command in json.load(sys.stdin):
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            arguments().parse_args(shlex.split(command)[2:])
    except SystemExit:
        wrong[command] = said.getvalue()
json.dump(wrong, sys.stdout)
"""


@pytest.fixture(scope="module")
def rendered() -> Rules:
    """The rules that the runbooks are about."""
    return rules()


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page: language and content, without the indentation of a list."""
    for indent, language, content in _FENCED.findall(text):
        yield language, re.sub(f"^{indent}", "", content, flags=re.MULTILINE)


def commands(text: str) -> Iterator[str]:
    """What a person is to run: blocks of shell, and of a console what follows a prompt, to the end of its lines."""
    for language, content in blocks(text):
        if language == "sh":
            yield content
        elif language == "console":
            for command in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
                lines = command.split("\n")
                whole = next(end for end in range(1, len(lines) + 1) if _closed("\n".join(lines[:end])))
                yield "\n".join(lines[:whole])


def _closed(command: str) -> bool:
    return command.count("'") % 2 == 0 and not command.endswith(("|", "\\"))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def known_metrics(rendered: Rules) -> set[str]:
    """Names that Leeway exposes or records, and those of others that its rules use, as series have them."""
    listed = yaml.safe_load((ROOT / "schemas" / "metrics.yaml").read_text(encoding="utf-8"))["metrics"]
    names = {metric["name"] for metric in listed}
    names |= {
        f"{metric['name']}_{part}"
        for metric in listed
        if metric["type"] == "histogram"
        for part in ("bucket", "sum", "count")
    }
    foreign = yaml.safe_load((Path(__file__).parent / "foreign-metrics.yaml").read_text(encoding="utf-8"))
    return (
        names | {metric["name"] for metric in foreign["metrics"]} | {rule["record"] for rule in rendered.of("record")}
    )


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    assert set(PAGES) == set(ALERTS)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_runbook_has_its_alerts_name_and_the_same_sections_as_all(name: str) -> None:
    prose = _FENCED.sub("", PAGES[name])
    assert re.findall(r"^# (.+)$", prose, flags=re.MULTILINE) == [name]
    sections = re.split(r"^## (.+)\n", prose, flags=re.MULTILINE)[1:]
    assert sections[::2] == SECTIONS
    assert all(len(content.split()) > 5 for content in sections[1::2])
    assert re.findall(r"^\*\*([A-Z][^*]+\.)\*\* ", sections[-1], flags=re.MULTILINE)[-3:] == ENDINGS


def test_the_index_leads_to_each_runbook_by_symptom_and_by_component_and_has_the_rules_severity(
    rendered: Rules,
) -> None:
    by_symptom, by_component = INDEX.split("## By component")
    severities = {(rule["alert"], rule["labels"]["severity"]) for rule in rendered.of("alert")}
    rows = re.findall(r"^\| \[(\w+)\]\(\w+\.md\) \| (\w+) \| .+ \|$", by_component, flags=re.MULTILINE)
    assert len(rows) == len(ALERTS)
    assert set(rows) == severities
    assert set(re.findall(r"\((\w+)\.md\)", by_symptom)) == set(ALERTS)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_runbook_names_the_alerts_that_keep_its_own_from_being_sent(name: str) -> None:
    inhibitions = yaml.safe_load((CHART / "files/alertmanager/inhibitions.yaml").read_text(encoding="utf-8"))
    sources = {
        inhibition["source"]["alertname"]
        for inhibition in inhibitions
        if name in _either(inhibition["target"]["alertname"])
    }
    last = PAGES[name].split(f"**{ENDINGS[-1]}**")[1]
    assert sources <= set(re.findall(r"\((\w+)\.md\)", last))


def _either(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_every_command_of_the_plugin_is_one_that_it_takes() -> None:
    named = {
        command.strip().replace("<version>", "1.0.0")
        for text in TEXTS.values()
        for command in _COMMAND.findall(text)
        if "…" not in command
    }
    uv = subprocess.run([ROOT / "scripts/bootstrap.sh"], capture_output=True, text=True, check=True).stdout.strip()
    operators = [uv, "run", "--quiet", "--frozen", "--all-extras", "--project", ROOT / "operators", "python"]
    asked = subprocess.run(
        [*operators, "-c", _PARSE], input=json.dumps(sorted(named)), capture_output=True, text=True, check=True
    )
    assert len(named) > 10
    assert json.loads(asked.stdout) == {}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_command_is_one_that_a_shell_can_read(name: str) -> None:
    # <pod> stands for what a person fills in; to a shell it would be files.
    script = re.sub(r"<[a-z ]+>", "filled-in", "\n".join(commands(TEXTS[name])))
    read = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert script
    assert read.stderr == "", script


def test_every_question_to_prometheus_is_one_that_it_can_answer(tmp_path: Path) -> None:
    asked = [
        question.replace("$NAMESPACE", "leeway").replace("$MODEL", "flights").replace("$LEEWAY", "leeway")
        for text in TEXTS.values()
        for question in _ASKED.findall(text)
    ]
    rules = [{"record": f"runbook:question_{number}:value", "expr": question} for number, question in enumerate(asked)]
    file = tmp_path / "questions.yaml"
    file.write_text(json.dumps({"groups": [{"name": "runbooks", "rules": rules}]}), encoding="utf-8")
    check = [promtool(), "check", "rules", "--lint=none", file]
    checked = subprocess.run(check, capture_output=True, text=True, check=False)
    assert len(asked) > len(PAGES)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_metric_exists(rendered: Rules, name: str) -> None:
    assert set(_METRIC.findall(TEXTS[name])) - known_metrics(rendered) == set()


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_value_of_the_chart_exists(name: str) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    # Those of a model are named as the model has them.
    of_a_model = {**values["modelDefaults"], "slo": values["monitoring"]["rules"]["slo"]}
    unknown = {path for path in _VALUE.findall(TEXTS[name]) if not (_has(values, path) or _has(of_a_model, path))}
    assert unknown == set()


def _has(values: object, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(values, dict) or key not in values:
            return False
        values = values[key]
    return True


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_link_leads_somewhere(name: str) -> None:
    for link in _LINK.findall(_FENCED.sub("", TEXTS[name])):
        path, _, anchor = link.partition("#")
        target = (RUNBOOKS / path).resolve() if path else RUNBOOKS / f"{name}.md"
        assert target.is_file(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link
