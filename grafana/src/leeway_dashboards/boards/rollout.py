"""Rollout: what a release does, what its gates say, and the evidence that they say it on."""

from grafana_foundation_sdk.builders import common
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from leeway_dashboards.parts.frame import Row, board, model, namespace
from leeway_dashboards.parts.panels import Panel, grid, now, number, over_time, query, rows, stacked, states
from leeway_dashboards.parts.selectors import FAULTS, MODEL, SERVED_MODEL

GATES = {
    "errors": ("Share of failed requests", "percentunit"),
    "latency": ("Share of predictions that took longer than the gate's threshold", "percentunit"),
    "predictions": ("Mean score of the predictions", "none"),
    "dataQuality": ("Share of rows with a faulty value", "percentunit"),
    "labels": ("Mean loss of the predictions whose labels have come", "none"),
}
"""Gate → what it compares, and its unit."""

LINEAR = 0.01
"""Differences up to which a gate's axis is linear: a usual margin."""

VERDICTS = {0: ("Insufficient", "blue"), 1: ("Pass", "green"), 2: ("Fail", "red")}
SIDE = "leeway_dev_version, leeway_dev_slot"
LEGEND = "{{leeway_dev_version}} (slot {{leeway_dev_slot}})"


def dashboard() -> Dashboard:
    """The whole of it."""
    return board(
        "leeway-rollout",
        "Rollout",
        "How a new version takes over: weights and phases, what each gate knows, and how old its evidence is.",
        variables=[namespace(), model()],
        rows=[
            Row("The release", [candidate_weight(), ended(), evidence_now(), failures(), phases(), weights(), held()]),
            Row("Gates", [verdicts(), evidence_age(), *(gate(name) for name in GATES), distance()]),
            Row("Both versions", [rate(), error_ratio(), latency(), outcomes()]),
            Row("The operator", [reconciling(), reconcile_errors()]),
        ],
        since="now-1h",
    )


def candidate_weight() -> Panel:
    """The smaller share."""
    expr = f"min(leeway_rollout_weight{{{MODEL}}})"
    text = "Share of the traffic that the version with the smaller one gets; 100 is a model with one version."
    return number("Smaller share", text, "percent").span(6).with_target(now(expr))


def ended() -> Panel:
    """Releases that ended."""
    expr = f"sum(increase(leeway_rollout_outcomes_total{{{MODEL}}}[$__range]))"
    text = "Releases that ended within the time range, however they did; counted since the operator's start."
    return number("Releases that ended", text, "none").span(6).decimals(0).with_target(now(expr))


def evidence_now() -> Panel:
    """The oldest evidence."""
    expr = f"max(last_over_time(leeway_rollout_evidence_age_seconds{{{MODEL}}}[$__range]))"
    text = "Age of the newest evidence of the source that is furthest behind, at the end of the last comparison."
    steps = ((None, "green"), (60, "orange"), (300, "red"))
    return number("Age of evidence", text, "s", steps=steps).span(6).with_target(now(expr))


def failures() -> Panel:
    """Failed reconciliations."""
    expr = f"sum(increase(leeway_rollout_reconcile_errors_total{{{MODEL}}}[$__range]))"
    text = "Reconciliations of this model that ended in an error within the time range, and were tried again."
    steps = ((None, "green"), (1, "orange"))
    return number("Reconciliations that failed", text, "none", steps=steps).span(6).decimals(0).with_target(now(expr))


def phases() -> Panel:
    """Phases."""
    text = "The phase that the rollout was in. Stable is a model with nothing under way."
    panel = states("Phase", text, {1: ("", "blue")})
    expr = f"max by (phase) (leeway_rollout_phase{{{MODEL}}} == 1)"
    return panel.with_target(query(expr, "{{phase}}"))


def held() -> Panel:
    """What holds it."""
    text = "While something holds the rollout, what it is: a pause, a freeze, missing evidence. Rollback still works."
    panel = states("What holds it", text, {1: ("", "orange")}).height(5).span(24)
    return panel.with_target(query(f"max by (reason) (leeway_rollout_held{{{MODEL}}})", "{{reason}}"))


def weights() -> Panel:
    """Weights."""
    text = "Share of the traffic that the route gives each version. A rollback is a fall to 0."
    expr = f"max by (version, slot) (leeway_rollout_weight{{{MODEL}}})"
    panel = stacked(over_time("Traffic by version", text, "percent")).max(100).height(7)
    return panel.line_interpolation(options.LineInterpolation.STEP_AFTER).with_target(
        query(expr, "{{version}} (slot {{slot}})")
    )


def verdicts() -> Panel:
    """Verdicts."""
    text = (
        "What each gate says: the candidate is not worse by more than the margin (Pass), harm is proven (Fail), or "
        "neither yet (Insufficient). Valid at every look."
    )
    said = f'max by (gate) (leeway_rollout_gate_verdict{{{MODEL},verdict="%s"}})'
    expr = f"{said % 'Pass'} + 2 * {said % 'Fail'}"
    return states("Verdicts", text, VERDICTS).with_target(query(expr, "{{gate}}"))


def evidence_age() -> Panel:
    """Age of the evidence."""
    text = "Age of the newest evidence by source while a comparison is under way; it grows while a source is silent."
    expr = f"max by (source) (leeway_rollout_evidence_age_seconds{{{MODEL}}})"
    panel = over_time("Age of evidence by source", text, "s", steps=((None, "green"), (60, "orange"), (300, "red")))
    return panel.height(7).with_target(query(expr, "{{source}}"))


def gate(name: str) -> Panel:
    """A gate's estimate with its interval, against the margin.

    Args:
        name: one of GATES.
    """
    what, unit = GATES[name]
    text = (
        f"{what}: candidate minus stable, with the interval that is valid at every look. Above 0 is worse. Harm is "
        "proven when the lower end is above 0, and no harm when the upper end is below the margin."
    )
    panel = over_time(f"Gate {name}", text, unit, least=None).span(8)
    for ref, end in (("A", "upper"), ("B", "estimate"), ("C", "lower"), ("D", "margin")):
        expr = f'max(leeway_rollout_gate_{end}{{{MODEL},gate="{name}"}})'
        panel.with_target(query(expr, end, ref=ref))
    panel.fill_opacity(0)
    # The first intervals are wide as the whole scale, and what matters is as narrow as a margin.
    scale = common.ScaleDistributionConfig().type(options.ScaleDistribution.SYMLOG).log(10).linear_threshold(LINEAR)
    panel.scale_distribution(scale)
    panel.override_by_name(
        "upper",
        [
            DynamicConfigValue(id_val="custom.fillBelowTo", value="lower"),
            DynamicConfigValue(id_val="custom.fillOpacity", value=15),
        ],
    )
    panel.override_by_name("estimate", [DynamicConfigValue(id_val="custom.lineWidth", value=2)])
    dashed = common.LineStyle().fill("dash").dash([8, 8]).build().to_json()
    panel.override_by_name(
        "margin",
        [
            DynamicConfigValue(id_val="custom.lineStyle", value=dashed),
            DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": "red"}),
        ],
    )
    return panel


def distance() -> Panel:
    """How much of the margin."""
    text = "The upper end of each gate's interval over its margin: below 1 no harm is left to fear, so the gate passes."
    upper, margin = (f"max by (gate) (leeway_rollout_gate_{name}{{{MODEL}}})" for name in ("upper", "margin"))
    panel = over_time("Upper end over margin", text, "none", steps=((None, "green"), (1, "orange")), least=None).span(8)
    return panel.with_target(query(f"{upper} / ({margin} > 0)", "{{gate}}"))


def rate() -> Panel:
    """Requests."""
    text = "Answered requests per second; their shares follow the weights."
    expr = f"sum by ({SIDE}) (rate(leeway_inference_requests_total{{{SERVED_MODEL}}}[$__rate_interval]))"
    return stacked(over_time("Requests by version", text, "reqps")).with_target(query(expr, LEGEND))


def error_ratio() -> Panel:
    """Errors."""
    text = "Share of the requests that were answered with a fault of the server's own (5xx)."
    by = f"sum by ({SIDE})"
    failed = f"{by} (rate(leeway_inference_requests_total{{{SERVED_MODEL},{FAULTS}}}[$__rate_interval]))"
    total = f"{by} (rate(leeway_inference_requests_total{{{SERVED_MODEL}}}[$__rate_interval]))"
    return over_time("Failed requests by version", text, "percentunit").with_target(
        query(f"{failed} / ({total} > 0)", LEGEND)
    )


def latency() -> Panel:
    """Durations."""
    text = "Time under which 99 % of the predictions were answered."
    buckets = f"leeway_inference_request_duration_seconds_bucket{{{SERVED_MODEL}}}"
    expr = f"histogram_quantile(0.99, sum by ({SIDE}, le) (rate({buckets}[$__rate_interval])))"
    return over_time("p99 duration by version", text, "s").with_target(query(expr, LEGEND))


def outcomes() -> Panel:
    """Outcomes."""
    expr = f"sum by (outcome, reason) (leeway_rollout_outcomes_total{{{MODEL}}}) > 0"
    text = "How releases of this model ended and why, since the operator's start."
    panel = grid(
        "Outcomes",
        text,
        {
            "outcome": {"displayName": "Outcome"},
            "reason": {"displayName": "Reason"},
            "Value": {"displayName": "Releases", "unit": "none", "decimals": 0},
        },
    )
    return panel.height(8).span(12).with_target(rows(expr, ref="A"))


def reconciling() -> Panel:
    """Reconciliations."""
    text = "Reconciliations of all models per second, and the time under which 95 % of them end."
    buckets = "leeway_rollout_reconcile_duration_seconds_bucket"
    seconds = f"histogram_quantile(0.95, sum by (le) (rate({buckets}[$__rate_interval])))"
    return over_time("Time of a reconciliation (p95, all models)", text, "s").with_target(query(seconds, "p95"))


def reconcile_errors() -> Panel:
    """Reconciliations that failed."""
    text = "Reconciliations of this model that ended in an error, per second."
    expr = f"sum by (model) (rate(leeway_rollout_reconcile_errors_total{{{MODEL}}}[$__rate_interval]))"
    panel = over_time("Failed reconciliations", text, "cps", steps=((None, "green"), (0.01, "orange")))
    return panel.with_target(query(expr, "{{model}}"))
