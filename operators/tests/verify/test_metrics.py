"""A metric, label or selection in use is there, or absent for a reason that was read, or a gap."""

from pathlib import Path

import pytest

from leeway_operators.verify.core.finding import Finding
from leeway_operators.verify.core.metrics import check
from leeway_operators.verify.core.parts import Part
from leeway_operators.verify.core.uses import Use
from leeway_operators.verify.shell.session import contract
from tests.verify.world import FakePrometheus, series

REPOSITORY = Path(__file__).resolve().parents[3]
REQUESTS = series("requests_total", job="models/server", pod="a-0", model="flights", code="200")


def found(expression: str, live: FakePrometheus, *wanted: str, everywhere: bool = False) -> dict[str, Finding]:
    use = Use(by="alert A", expression=expression, wanted=frozenset(wanted), everywhere=everywhere)
    return {finding.what: finding for finding in check([use], live)}


def test_what_is_there_is_found_with_all_its_labels() -> None:
    findings = found('sum by (model) (rate(requests_total{code=~"2.."}[5m]))', FakePrometheus([REQUESTS]))
    assert list(findings) == ["requests_total{code,model}"]
    assert findings["requests_total{code,model}"].verdict == "found"
    assert findings["requests_total{code,model}"].used_by == ("alert A",)


def test_a_metric_that_nothing_emits_is_a_gap() -> None:
    finding = found("rate(request_total[5m])", FakePrometheus([REQUESTS]))["request_total"]
    assert (finding.verdict, finding.why) == ("missing", "no series, and no target declares it")


def test_a_label_that_no_series_has_is_a_gap() -> None:
    findings = found("sum by (model_name) (requests_total)", FakePrometheus([REQUESTS]))
    assert {what: one.verdict for what, one in findings.items()} == {
        "requests_total{model_name}": "found",
        "label model_name of requests_total": "missing",
    }


def test_a_family_that_a_target_declares_comes_with_its_event() -> None:
    live = FakePrometheus([REQUESTS], declared={"rejected": ["models/server"]})
    finding = found("rejected_total", live)["rejected_total"]
    assert finding.verdict == "expected"
    assert "models/server" in finding.why


def test_a_family_that_its_scrape_throws_away_never_comes() -> None:
    job, name = "models/server", "rejected_total"
    live = FakePrometheus(declared={name: [job]}, dropped=frozenset({(job, name)}))
    assert found("rejected_total", live)["rejected_total"].verdict == "missing"


def test_an_exporter_that_is_not_there_is_no_gap_and_one_that_is_has_to_have_the_metric() -> None:
    assert found("kube_pod_info", FakePrometheus())["kube_pod_info"].verdict == "expected"
    with_some = FakePrometheus([series("kube_pod_labels")])
    assert found("kube_pod_info", with_some)["kube_pod_info"].verdict == "missing"


def test_a_part_that_the_release_does_without_has_no_metrics() -> None:
    use, off = (
        Use(by="panel", expression="leeway_drift_worker_up"),
        Part("backend is native", ("leeway_drift_worker_",)),
    )
    (finding,) = check([use], FakePrometheus(), [off])
    assert (finding.verdict, finding.why) == ("expected", "backend is native")
    (finding,) = check([use], FakePrometheus())
    assert finding.verdict == "missing"


@pytest.mark.parametrize(
    ("selector", "verdict"),
    [
        ('requests_total{code=~"5.."}', "expected"),
        ('requests_total{job="models/servr"}', "missing"),
        ('requests_total{job="models/server",code="500"}', "expected"),
        ('duration_bucket{le="0.25"}', "missing"),
    ],
)
def test_a_value_that_only_an_event_brings_is_no_gap_and_one_that_a_scrape_writes_is(
    selector: str, verdict: str
) -> None:
    assert found(selector, FakePrometheus([REQUESTS, series("duration_bucket", le="0.5")]))[selector].verdict == verdict


def test_what_the_operator_asks_for_has_to_be_there_for_these_very_pods() -> None:
    findings = found('requests_total{model="diabetes"}', FakePrometheus([REQUESTS]), everywhere=True)
    assert findings['requests_total{model="diabetes"}'].verdict == "missing"


def test_a_variable_of_a_dashboard_needs_the_label_and_no_value() -> None:
    findings = found('requests_total{model=~"leeway_verify_anything"}', FakePrometheus([REQUESTS]))
    assert {what: one.verdict for what, one in findings.items()} == {"requests_total{model}": "found"}


def test_a_label_that_a_text_tells_and_the_expression_drops_is_a_gap() -> None:
    finding = found("sum by (model) (requests_total)", FakePrometheus([REQUESTS]), "model", "pod")[
        "label pod in the result"
    ]
    assert (finding.kind, finding.verdict) == ("label", "missing")
    assert "sum by (model) (requests_total)" in finding.why


def test_what_is_no_promql_is_a_gap() -> None:
    (finding,) = check([Use(by="alert A", expression="sum by (")], FakePrometheus())
    assert (finding.kind, finding.verdict, finding.used_by) == ("expression", "missing", ("alert A",))


def recording(expression: str, live: FakePrometheus) -> Finding:
    uses = [
        Use(by="record m:errors", expression=expression, records="m:errors"),
        Use(by="a", expression="m:errors > 0"),
    ]
    return next(finding for finding in check(uses, live) if finding.what == "m:errors")


def test_a_recorded_metric_is_there_as_any_other_is() -> None:
    assert recording("sum(requests_total)", FakePrometheus([REQUESTS, series("m:errors")])).verdict == "found"


def test_a_recorded_metric_may_be_absent_while_nothing_happened_that_it_counts() -> None:
    finding = recording('sum(requests_total{code="500"})', FakePrometheus([REQUESTS]))
    assert finding.verdict == "expected"
    assert 'requests_total{code="500"}' in finding.why


def test_a_recorded_metric_is_a_gap_if_its_rule_reads_one_or_has_no_result() -> None:
    assert recording("sum(request_total)", FakePrometheus([REQUESTS])).verdict == "missing"
    assert recording("sum(requests_total)", FakePrometheus([REQUESTS])).verdict == "missing"
    assert recording("m:errors * 2", FakePrometheus()).verdict == "missing"


def test_a_recorded_metric_may_be_absent_while_nothing_meets_its_condition() -> None:
    finding = recording("sum(requests_total) > 9", FakePrometheus([REQUESTS]))
    assert (finding.verdict, finding.why) == ("expected", "its rule has a condition that nothing meets now")


def test_one_of_two_labels_is_enough_where_each_is_a_way_to_the_metric() -> None:
    expression = 'x{namespace="a"} or x{exported_namespace="a"}'
    with_one = found(expression, FakePrometheus([series("x", namespace="a")]))
    assert [one.what for one in with_one.values() if one.kind == "label"] == []
    with_none = found(expression, FakePrometheus([series("x")]))
    assert with_none["label exported_namespace or namespace of x"].verdict == "missing"


def test_a_label_that_the_programs_contract_has_comes_with_its_first_value() -> None:
    uses = [Use(by="panel", expression="sum by (model) (events_total) + sum by (modle) (events_total)")]
    findings = check(uses, FakePrometheus([series("events_total")]), contract={"events_total": frozenset({"model"})})
    assert {finding.what: finding.verdict for finding in findings if finding.kind == "label"} == {
        "label model of events_total": "expected",
        "label modle of events_total": "missing",
    }


def test_the_contract_that_is_shipped_is_the_repositorys() -> None:
    schema, shipped = "schemas/metrics.yaml", "operators/src/leeway_operators/verify/metrics.yaml"
    same = (REPOSITORY / schema).read_text() == (REPOSITORY / shipped).read_text()
    assert same, f"cp {schema} {shipped}"
    assert contract()["leeway_inference_requests_total"] == {"model", "version", "protocol", "code"}


def test_a_label_that_only_some_alerts_have_comes_with_them() -> None:
    watchdog = series("ALERTS", alertname="Watchdog", alertstate="firing")
    findings = found('ALERTS{alertname!="Watchdog",model="flights"}', FakePrometheus([watchdog]))
    assert findings["label model of ALERTS"].verdict == "expected"


def test_no_alert_that_fires_is_no_gap() -> None:
    assert found("ALERTS", FakePrometheus())["ALERTS"].verdict == "expected"


def test_what_is_recorded_from_what_is_recorded_names_the_metric_at_the_root() -> None:
    uses = [
        Use(by="r", expression="sum(request_total)", records="m:requests"),
        Use(by="r", expression="m:requests / 5", records="m:rate"),
        Use(by="a", expression="m:rate > 0"),
    ]
    findings = {finding.what: finding.why for finding in check(uses, FakePrometheus([REQUESTS]))}
    assert findings["m:rate"] == "its rule reads request_total: no series, and no target declares it"
