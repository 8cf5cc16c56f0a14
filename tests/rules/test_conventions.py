"""What every rule keeps to, and that what it reads is emitted by somebody."""

import re
from collections.abc import Iterator

import pytest
import yaml
from chart.rendering import ROOT, Manifest

from leeway_operators.verify.core.promql import Read, read
from rules.rendered import ALERTS, FILES, GRAFANA, Rules, rules

TARGET = frozenset({"namespace", "pod", "container", "job", "instance", "endpoint"})
# The PodMonitor of the models carries them over from the pods.
OF_A_SERVER = frozenset({f"leeway_dev_{name}" for name in ("model", "slot", "version", "revision")})
BOARDS = {f"leeway-{name}" for name in ("fleet", "model", "rollout", "drift", "telemetry", "slo")}
# Of a template of Prometheus, what it asks a Prometheus; what is filled in is text.
ASKED = re.compile(r'query \(printf "([^"]+)"')


def by_name(rendered: Rules) -> dict[str, list[Manifest]]:
    found: dict[str, list[Manifest]] = {}
    for rule in rendered.of("alert"):
        found.setdefault(rule["alert"], []).append(rule)
    return found


@pytest.fixture(scope="module")
def rendered() -> Rules:
    return rules()


@pytest.fixture(scope="module")
def emitted(rendered: Rules) -> dict[str, frozenset[str]]:
    """Every series that there can be, with its labels."""
    found = {}
    for metric in yaml.safe_load((ROOT / "schemas/metrics.yaml").read_text())["metrics"]:
        labels = TARGET | set(metric["labels"]) | (OF_A_SERVER if metric["component"] == "onnx-server" else set())
        parts = ("_bucket", "_count", "_sum") if metric["type"] == "histogram" else ("",)
        for part in parts:
            found[metric["name"] + part] = labels | ({"le"} if part == "_bucket" else set())
    for metric in yaml.safe_load((ROOT / "tests/rules/foreign-metrics.yaml").read_text())["metrics"]:
        found[metric["name"]] = TARGET | set(metric["labels"])
    found["up"] |= OF_A_SERVER
    for rule in rendered.of("record"):
        level = rule["record"].split(":")[0].split("_")
        found[rule["record"]] = found.get(rule["record"], frozenset()) | {"namespace", *level, *rule.get("labels", {})}
    return found


def texts(rule: Manifest) -> list[str]:
    return [*rule.get("labels", {}).values(), *rule.get("annotations", {}).values()]


def reads(rule: Manifest) -> Iterator[Read]:
    """What a rule reads, in its expression and in its texts, which ask once more."""
    yield from read(rule["expr"]).reads
    for text in texts(rule):
        for asked in ASKED.findall(text):
            yield from read(asked.replace("%s", "x")).reads


def test_each_alert_has_a_file_of_its_name(rendered: Rules) -> None:
    found = by_name(rendered)
    assert sorted(found) == ALERTS
    assert all(re.fullmatch(r"([A-Z]+[a-z]+)+", name) for name in found)


def test_recording_rules_are_named_by_level_metric_and_operation(rendered: Rules) -> None:
    for rule in rendered.of("record"):
        assert re.fullmatch(r"[a-z_]+:leeway_[a-z_]+:[a-z0-9_]+", rule["record"]), rule["record"]


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_what_people_and_routes_need(rendered: Rules, name: str) -> None:
    found = by_name(rendered)[name]
    assert len({rule["annotations"]["summary"] for rule in found}) == 1
    for rule in found:
        labels, annotations = rule["labels"], rule["annotations"]
        assert labels["severity"] in ("critical", "warning", "info")
        # AlertmanagerConfig adds a matcher on the namespace that it is in.
        assert labels["namespace"] == "leeway"
        assert ("model_namespace" in labels) == ("team" in labels)
        assert re.fullmatch(r"[A-Z][^{}]+\.", annotations["summary"]), "one static sentence"
        assert annotations["description"].endswith((".", "}}"))
        assert annotations["runbook_url"].endswith(f"/docs/runbooks/{name}.md")
        board = re.fullmatch(re.escape(GRAFANA) + r"/d/([a-z-]+)(\?.*)?", annotations["dashboard_url"])
        assert board is not None
        assert board[1] in BOARDS
        assert bool(board[2]) == ("team" in labels), "an alert about a model leads to that model"


def test_no_label_comes_out_empty(rendered: Rules) -> None:
    """Prometheus keeps such an alert under the template of its empty label, and a new Prometheus does not find it."""
    templates = {value for rule in rendered.of("alert") for value in rule["labels"].values() if "{{" in value}
    assert len(templates) == 2
    assert [
        text for text in templates if not re.search(r"^{{ \$labels\.namespace }}$|{{ or \$team `none` }}$", text)
    ] == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_waits_or_says_why_not(rendered: Rules, name: str) -> None:
    if any("for" not in rule for rule in by_name(rendered)[name]):
        assert re.search(r"^# No `for`: ", (FILES / f"alerts/{name}.yaml").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_it_means_that_nothing_is_known(name: str) -> None:
    head = re.match(r"(#[^\n]*\n)+", (FILES / f"alerts/{name}.yaml").read_text())
    assert head is not None
    assert re.search(r"[Ww]ithout|[Aa]bsent|no series|not scraped", head[0])


@pytest.mark.parametrize("name", ALERTS)
def test_there_is_a_runbook(name: str) -> None:
    assert (ROOT / f"docs/runbooks/{name}.md").is_file()


def test_what_a_rule_reads_is_emitted_with_these_labels(rendered: Rules, emitted: dict[str, frozenset[str]]) -> None:
    unknown = {
        (rule.get("alert") or rule["record"], one.metric, *sorted(one.labels - emitted.get(one.metric, frozenset())))
        for rule in (*rendered.of("alert"), *rendered.of("record"))
        for one in reads(rule)
        if one.metric not in emitted or one.labels - emitted[one.metric]
    }
    assert unknown == set()


def test_labels_that_a_text_tells_are_those_of_the_expression(rendered: Rules) -> None:
    for rule in rendered.of("alert"):
        told = frozenset(label for text in texts(rule) for label in re.findall(r"\$labels\.(\w+)", text))
        reading = read(rule["expr"], told)
        assert not reading.lost, (rule["alert"], reading.lost)


def test_recorded_series_have_the_labels_of_their_level(rendered: Rules) -> None:
    for rule in rendered.of("record"):
        level = frozenset({"namespace", *rule["record"].split(":")[0].split("_")})
        fixed = frozenset(rule.get("labels", {}))
        assert not read(rule["expr"], level - fixed).lost, rule["record"]


def test_what_is_recorded_is_read(rendered: Rules) -> None:
    used = {one.metric for rule in (*rendered.of("alert"), *rendered.of("record")) for one in reads(rule)}
    used |= set(
        re.findall(
            r"model\w*:leeway_\w+:\w+",
            " ".join(p.read_text() for p in (ROOT / "charts/leeway/files/dashboards").glob("*.json")),
        )
    )
    assert {rule["record"] for rule in rendered.of("record")} <= used


def test_no_foreign_series_is_listed_for_nothing(rendered: Rules) -> None:
    used = {one.metric for rule in (*rendered.of("alert"), *rendered.of("record")) for one in reads(rule)}
    listed = yaml.safe_load((ROOT / "tests/rules/foreign-metrics.yaml").read_text())["metrics"]
    assert {metric["name"] for metric in listed} <= used
