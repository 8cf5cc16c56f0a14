"""What of the logs' page is tried with a real Loki, and when a line counts as arrived."""

import json
import re
from typing import Any

import pytest

from logs import page, programs, writers
from logs.lines import Line, kept, missing, written

TIME = b"2026-03-02T09:15:00.123456789Z"
MOMENT = 1_772_442_900_123_000_000
TOLD = {
    "time": "2026-03-02T09:15:00.123Z",
    "level": "error",
    "component": "onnx-server",
    "logger": "leeway_serving.app",
    "message": "a request failed",
    "model": "flights",
    "request_id": "8a3f",
    "fields": {"rows": 3},
}
LINE = Line(
    "onnx-server",
    "a request failed",
    MOMENT // 10**6,
    "error",
    (("logger", "leeway_serving.app"), ("model", "flights"), ("request_id", "8a3f")),
)
LABELS = {
    "service_name": "onnx-server",
    "k8s_pod_name": "flights-predictor-0",
    "severity_text": "error",
    "detected_level": "error",
    "logger": "leeway_serving.app",
    "model": "flights",
    "request_id": "8a3f",
    "fields_rows": "3",
}


def stored(text: str, kind: str = "F") -> bytes:
    return TIME + f" stderr {kind} {text}\n".encode()


def answer(labels: dict[str, str], text: str) -> dict[str, Any]:
    return {"data": {"result": [{"stream": labels, "values": [["1772442900123000000", text]]}]}}


def test_a_line_is_the_same_in_the_runtimes_file_and_in_loki() -> None:
    whole = json.dumps(TOLD)
    assert written(stored(whole), "kserve-container") == [LINE]
    assert written(stored(whole[:40], "P") + stored(whole[40:]), "kserve-container") == [LINE]
    assert kept(answer(LABELS, "a request failed")) == [LINE]


@pytest.mark.parametrize("text", ["I0302 09:15:00.1 controller.go:1] started", '{"time": "now"}', "[1]", "  a  b"])
def test_a_line_of_another_program_is_kept_as_it_was(text: str) -> None:
    assert (
        written(stored(f"{text} "), "envoy") == [Line("envoy", text)] == kept(answer({"service_name": "envoy"}, text))
    )


def test_a_line_that_is_not_ended_is_not_waited_for() -> None:
    assert written(stored("one") + stored("tw", "P"), "envoy") == [Line("envoy", "one")]
    assert written(stored("one") + TIME + b" stderr F tw", "envoy") == [Line("envoy", "one")]


@pytest.mark.parametrize(("text", "moment"), [("started", 1_772_442_900_123_456_789), (json.dumps(TOLD), MOMENT)])
def test_a_line_from_before_is_left_out_by_the_time_that_loki_knows_it_by(text: str, moment: int) -> None:
    assert written(stored(text), "envoy", since=moment)
    assert not written(stored(text), "envoy", since=moment + 1)


@pytest.mark.parametrize(
    "change",
    [{"level": "warning"}, {"milliseconds": 1}, {"members": LINE.members[:2]}, {"text": "a request"}],
)
def test_a_line_that_lost_something_has_not_arrived(change: dict[str, Any]) -> None:
    other = Line(**{**vars(LINE), **change})
    absent, strange = missing([LINE], [other])
    assert (list(absent), list(strange)) == ([LINE], [other])


def test_a_line_that_arrives_twice_is_strange_and_alike_ones_of_leeway_are_one() -> None:
    assert missing([LINE], [LINE, LINE])[1].total() == 1
    assert not any(missing([LINE, LINE], [LINE]))
    other = Line("envoy", "started")
    assert missing([other, other], [other])[0].total() == 1


def test_the_pages_configuration_is_changed_in_its_places_alone() -> None:
    told = page.read(page.FILE.read_text())
    before = json.dumps(told.configuration)
    changed = page.placed(told.configuration, pods="/elsewhere", loki="http://127.0.0.1:1")
    assert changed["receivers"]["file_log"]["include"] == ["/elsewhere/*/*/*.log"]
    assert changed["exporters"] == {"otlp_http": {"endpoint": "http://127.0.0.1:1/otlp"}}
    assert changed["receivers"]["file_log"]["operators"] == told.configuration["receivers"]["file_log"]["operators"]
    assert json.dumps(told.configuration) == before


def test_the_pages_queries_are_asked_about_what_was_written() -> None:
    queries = page.read(page.FILE.read_text()).queries
    assert len(queries) == len(re.findall(r"service_name=", page.FILE.read_text())) >= 2
    assert page.services_of(queries[0]) == {"onnx-server", "drift-detector"}
    assert [page.labels_of(query) for query in queries] == [set(), {"model", "message"}]
    one = page.about(queries[0], model="logged", request_id="8a3f")
    assert 'model="logged"' in one
    assert 'request_id="8a3f"' in one
    assert "flights" not in one


def test_the_model_that_is_not_served_differs_from_the_served_one_in_its_digest() -> None:
    model = {"storageUri": "oci://flights:1", "version": "1.0.0", "digest": "sha256:" + "a" * 64}
    made = writers.release({"models": {"flights": {"model": model}}, "images": {}}, writers.SITE)
    served, refused = (made["models"][name]["model"] for name in (writers.SITE.name, writers.REFUSED))
    assert {key for key in served if served[key] != refused[key]} == {"digest"}
    assert served["digest"] == model["digest"]
    assert made["logs"] == {"level": "debug"}


@pytest.mark.parametrize(
    ("group", "module"),
    [("loki", "github.com/grafana/loki/v3"), ("collector", "go.opentelemetry.io/collector/otelcol")],
)
def test_both_programs_are_of_modules_whose_sums_are_known(group: str, module: str) -> None:
    (version,) = re.findall(
        rf"^(?:require )?\s*{re.escape(module)} (v\S+)", (programs.TOOLS / group / "go.mod").read_text(), re.MULTILINE
    )
    assert f"{module} {version} h1:" in (programs.TOOLS / group / "go.sum").read_text()
