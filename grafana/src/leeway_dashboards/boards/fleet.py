"""Fleet: every model on one screen."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from leeway_dashboards.parts.frame import Row, board, model, namespace
from leeway_dashboards.parts.panels import Panel, coloured, grid, now, number, over_time, query, rows, stacked
from leeway_dashboards.parts.selectors import FAULTS, MODEL, SERVED_MODEL

ALARM = ((None, "green"), (1, "red"))
BURN = ((None, "green"), (1, "orange"))
ERRORS = ((None, "green"), (0.001, "orange"), (0.01, "red"))


def dashboard() -> Dashboard:
    """The whole of it."""
    return board(
        "leeway-fleet",
        "Fleet",
        "Every model that is served: what it gets, how it answers, what is being released and what has an alarm.",
        variables=[namespace(several=True), model(several=True)],
        rows=[
            Row("Now", [models(), pods(), requests(), errors(), rollouts(), alarms()]),
            Row("Models", [table()]),
            Row("Traffic", [rate(), error_ratio(), latency(), servers()]),
            Row("Releases and alerts", [outcomes(), drift(), alerts()]),
        ],
    )


def models() -> Panel:
    """How many models there are."""
    expr = f"count(count by (namespace, model) (leeway_rollout_phase{{{MODEL}}}))"
    return number("Models", "ModelRollouts that the operator looks after.", "none").with_target(now(expr))


def pods() -> Panel:
    """How many servers have a model."""
    expr = f"sum(leeway_inference_model_info{{{SERVED_MODEL}}})"
    return number("Servers with a model", "Pods whose server has loaded its model.", "none").with_target(now(expr))


def requests() -> Panel:
    """Requests of the whole fleet."""
    expr = f"sum(rate(leeway_inference_requests_total{{{SERVED_MODEL}}}[$__rate_interval]))"
    return number("Requests", "Answered requests of all models, per second.", "reqps").with_target(now(expr))


def errors() -> Panel:
    """Errors of the whole fleet."""
    total = f"sum(rate(leeway_inference_requests_total{{{SERVED_MODEL}}}[$__rate_interval]))"
    failed = f"sum(rate(leeway_inference_requests_total{{{SERVED_MODEL},{FAULTS}}}[$__rate_interval]))"
    text = "Share of all requests that a server answered with a fault of its own (5xx)."
    return number("Failed requests", text, "percentunit", steps=ERRORS).with_target(now(f"{failed} / {total}"))


def rollouts() -> Panel:
    """Releases under way."""
    expr = f'sum(leeway_rollout_phase{{{MODEL},phase!="Stable"}})'
    text = "Models in another phase than Stable: a version is being deployed, compared, promoted or rolled back."
    return number("Releases under way", text, "none").with_target(now(expr))


def alarms() -> Panel:
    """Alarms of the drift detector."""
    expr = f"sum(leeway_drift_detected{{{MODEL}}})"
    text = "Detectors of the drift detector that have an alarm, over all models and versions."
    return number("Drift alarms", text, "none", steps=ALARM).with_target(now(expr))


def table() -> Panel:
    """A row for each model."""
    by = "by (namespace, model)"
    total = f"sum {by} (rate(leeway_inference_requests_total{{{SERVED_MODEL}}}[$__rate_interval]))"
    failed = f"sum {by} (rate(leeway_inference_requests_total{{{SERVED_MODEL},{FAULTS}}}[$__rate_interval]))"
    buckets = f"leeway_inference_request_duration_seconds_bucket{{{SERVED_MODEL}}}"
    chosen = "var-namespace=${__data.fields.namespace}&var-model=${__data.fields.model}&${__url_time_range}"
    link = {"title": "Model", "url": f"/d/leeway-model?{chosen}"}
    released = {"title": "Rollout", "url": f"/d/leeway-rollout?{chosen}"}
    kept = {"title": "SLO and error budget", "url": f"/d/leeway-slo?{chosen}"}
    watched = {"title": "Drift and labels", "url": f"/d/leeway-drift?{chosen}"}
    spent = f"model:leeway_availability_errors:ratio_rate6h{{{MODEL}}}"
    promised = f"model:leeway_availability_objective:ratio{{{MODEL}}}"
    panel = grid(
        "Model by model",
        "A row for each model: the phase of its rollout, the version that has most of the traffic, and how it answers. "
        "Click a model for more; an empty cell is a value that is not known.",
        {
            "namespace": {"displayName": "Namespace"},
            "model": {"displayName": "Model", "links": [link]},
            "phase": {"displayName": "Phase", "links": [released]},
            "version": {"displayName": "Version"},
            "Value #B": {"displayName": "Its traffic", "unit": "percent"},
            "Value #C": {"displayName": "Requests", "unit": "reqps", "decimals": 1},
            "Value #D": {"displayName": "Failed", "unit": "percentunit", **coloured(ERRORS)},
            "Value #E": {"displayName": "p99", "unit": "s"},
            "Value #G": {
                "displayName": "Budget burn, 6h",
                "unit": "none",
                "decimals": 2,
                "links": [kept],
                **coloured(BURN),
            },
            "Value #F": {"displayName": "Drift alarms", "unit": "none", "links": [watched], **coloured(ALARM)},
        },
        drop=["Value #A"],
    )
    return (
        panel.with_target(rows(f"max by (namespace, model, phase) (leeway_rollout_phase{{{MODEL}}} == 1)", ref="A"))
        .with_target(
            rows(
                f"topk {by} (1, max by (namespace, model, version) (leeway_rollout_weight{{{MODEL}}}))",
                ref="B",
            )
        )
        .with_target(rows(total, ref="C"))
        .with_target(rows(f"{failed} / ({total} > 0)", ref="D"))
        .with_target(
            rows(
                # Without requests the quantile is no number, and the cell stays empty.
                f"histogram_quantile(0.99, sum by (namespace, model, le) (rate({buckets}[$__rate_interval]))) >= 0",
                ref="E",
            )
        )
        .with_target(rows(f"sum {by} (leeway_drift_detected{{{MODEL}}})", ref="F"))
        .with_target(rows(f"{spent} / (1 - {promised})", ref="G"))
    )


def rate() -> Panel:
    """Requests by model."""
    expr = f"sum by (namespace, model) (rate(leeway_inference_requests_total{{{SERVED_MODEL}}}[$__rate_interval]))"
    panel = over_time("Requests by model", "Answered requests per second, of both slots.", "reqps")
    return stacked(panel).with_target(query(expr, "{{namespace}}/{{model}}"))


def error_ratio() -> Panel:
    """Errors by model."""
    by = "sum by (namespace, model)"
    total = f"{by} (rate(leeway_inference_requests_total{{{SERVED_MODEL}}}[$__rate_interval]))"
    failed = f"{by} (rate(leeway_inference_requests_total{{{SERVED_MODEL},{FAULTS}}}[$__rate_interval]))"
    text = "Share of a model's requests that its servers answered with a fault of their own (5xx)."
    panel = over_time("Failed requests by model", text, "percentunit", steps=ERRORS)
    return panel.with_target(query(f"{failed} / ({total} > 0)", "{{namespace}}/{{model}}"))


def latency() -> Panel:
    """Latency by model."""
    buckets = f"leeway_inference_request_duration_seconds_bucket{{{SERVED_MODEL}}}"
    expr = f"histogram_quantile(0.99, sum by (namespace, model, le) (rate({buckets}[$__rate_interval])))"
    text = "Time under which 99 % of the predictions were answered, as the server measures it."
    return over_time("p99 latency by model", text, "s").with_target(query(expr, "{{namespace}}/{{model}}"))


def servers() -> Panel:
    """Servers by model."""
    expr = f"sum by (namespace, leeway_dev_model) (leeway_inference_model_info{{{SERVED_MODEL}}})"
    panel = over_time("Servers by model", "Pods that have loaded their model, of both slots.", "none")
    return stacked(panel).with_target(query(expr, "{{namespace}}/{{leeway_dev_model}}"))


def outcomes() -> Panel:
    """How releases ended."""
    expr = f"sum by (outcome, reason) (increase(leeway_rollout_outcomes_total{{{MODEL}}}[$__range])) > 0.5"
    text = "Releases that ended within the time range, by how and why."
    panel = grid(
        "Releases that ended",
        text,
        {
            "outcome": {"displayName": "Outcome"},
            "reason": {"displayName": "Reason"},
            "Value": {"displayName": "Releases", "unit": "none", "decimals": 0},
        },
    )
    return panel.height(8).span(8).with_target(rows(expr, ref="A"))


def drift() -> Panel:
    """Scores by model."""
    expr = f"max by (namespace, model) (leeway_drift_score_ratio{{{MODEL}}})"
    text = "The highest score of a model's detectors over its calibrated threshold: 1 is an alarm once it lasts."
    panel = over_time("Highest drift score by model", text, "none", steps=ALARM).span(8)
    return panel.with_target(query(expr, "{{namespace}}/{{model}}"))


def alerts() -> Panel:
    """Alerts that fire."""
    expr = 'sum by (alertname, severity, model) (ALERTS{alertstate="firing",severity=~"critical|warning|info"})'
    text = "Alerts that fire now, in all namespaces. Watchdog always does: without it, alerts reach nobody."
    panel = grid(
        "Alerts firing",
        text,
        {
            "alertname": {"displayName": "Alert"},
            "severity": {"displayName": "Severity"},
            "model": {"displayName": "Model"},
        },
        drop=["Value"],
    )
    return panel.height(8).span(8).with_target(rows(expr, ref="A"))
