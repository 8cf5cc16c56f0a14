"""Model: requests, errors and durations of one model, its saturation, and its versions side by side."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from leeway_dashboards.parts.frame import Row, board, model, namespace, version
from leeway_dashboards.parts.panels import Panel, coloured, grid, over_time, query, rows, stacked
from leeway_dashboards.parts.selectors import FAULTS, GATEWAY, PODS, SERVED

ERRORS = ((None, "green"), (0.001, "orange"), (0.01, "red"))
SIDE = "leeway_dev_version, leeway_dev_slot"
LEGEND = "{{leeway_dev_version}} (slot {{leeway_dev_slot}})"
REQUESTS = f"leeway_inference_requests_total{{{SERVED}}}"
FAILED = f"leeway_inference_requests_total{{{SERVED},{FAULTS}}}"
BUCKETS = f"leeway_inference_request_duration_seconds_bucket{{{SERVED}}}"


def dashboard() -> Dashboard:
    """The whole of it."""
    return board(
        "leeway-model",
        "Model",
        "One model as its clients meet it, version by version, and how close its servers are to their limits.",
        variables=[namespace(), model(), version()],
        rows=[
            Row("Versions side by side", [versions()]),
            Row("Requests, errors, durations", [rate(), error_ratio(), quantiles(), slowest(), codes(), protocols()]),
            Row("Saturation", [in_flight(), rejected(), cpu(), memory(), replicas(), load_time()]),
            Row("Around the server", [gateway(), row_rate(), captured(), restarts()]),
        ],
    )


def versions() -> Panel:
    """A row for each version."""
    by = f"by ({SIDE})"
    total = f"sum {by} (rate({REQUESTS}[$__rate_interval]))"
    # Without requests a quantile is no number, and its cell stays empty.
    seconds = f"histogram_quantile(%s, sum by ({SIDE}, le) (rate({BUCKETS}[$__rate_interval]))) >= 0"
    panel = grid(
        "Versions",
        "A row for each version and slot: its pods and how it answers now. An empty cell is a value that is not known.",
        {
            "leeway_dev_version": {"displayName": "Version"},
            "leeway_dev_slot": {"displayName": "Slot"},
            "Value #A": {"displayName": "Servers with the model", "unit": "none"},
            "Value #B": {"displayName": "Requests", "unit": "reqps", "decimals": 1},
            "Value #C": {"displayName": "Failed", "unit": "percentunit", **coloured(ERRORS)},
            "Value #D": {"displayName": "p50", "unit": "s"},
            "Value #E": {"displayName": "p99", "unit": "s"},
            "Value #F": {"displayName": "In flight", "unit": "none"},
        },
    )
    return (
        panel.height(6)
        .with_target(rows(f"sum {by} (leeway_inference_model_info{{{SERVED}}})", ref="A"))
        .with_target(rows(total, ref="B"))
        .with_target(rows(f"sum {by} (rate({FAILED}[$__rate_interval])) / ({total} > 0)", ref="C"))
        .with_target(rows(seconds % 0.5, ref="D"))
        .with_target(rows(seconds % 0.99, ref="E"))
        .with_target(rows(f"sum {by} (leeway_inference_in_flight{{{SERVED}}})", ref="F"))
    )


def rate() -> Panel:
    """Requests."""
    text = "Answered requests per second, whatever the answer was."
    expr = f"sum by ({SIDE}) (rate({REQUESTS}[$__rate_interval]))"
    return stacked(over_time("Requests by version", text, "reqps")).with_target(query(expr, LEGEND))


def error_ratio() -> Panel:
    """Errors."""
    text = "Share of the requests that were answered with a fault of the server's own (5xx)."
    by = f"sum by ({SIDE})"
    expr = f"{by} (rate({FAILED}[$__rate_interval])) / ({by} (rate({REQUESTS}[$__rate_interval])) > 0)"
    panel = over_time("Failed requests by version", text, "percentunit", steps=ERRORS)
    return panel.with_target(query(expr, LEGEND))


def quantiles() -> Panel:
    """Durations of the model."""
    text = (
        "From the head of a request to the last byte of its answer, for requests that got a prediction; all versions."
    )
    panel = over_time("Duration", text, "s")
    for ref, quantile in (("A", 0.5), ("B", 0.9), ("C", 0.99)):
        expr = f"histogram_quantile({quantile}, sum by (le) (rate({BUCKETS}[$__rate_interval])))"
        panel.with_target(query(expr, f"p{quantile * 100:.0f}", ref=ref))
    return panel


def slowest() -> Panel:
    """Durations by version."""
    text = "Time under which 99 % of the predictions were answered, version by version."
    expr = f"histogram_quantile(0.99, sum by ({SIDE}, le) (rate({BUCKETS}[$__rate_interval])))"
    return over_time("p99 duration by version", text, "s").with_target(query(expr, LEGEND))


def codes() -> Panel:
    """Answers by code."""
    text = "Answers that are no prediction, by HTTP status: 4xx is the client's request, 5xx the server's fault."
    failed = f'leeway_inference_requests_total{{{SERVED},code!~"2.."}}'
    expr = f"sum by (code) (rate({failed}[$__rate_interval]))"
    return stacked(over_time("Errors by code", text, "reqps")).with_target(query(expr, "{{code}}"))


def protocols() -> Panel:
    """Requests by protocol."""
    text = "Answered requests by what they were asked in: Open Inference Protocol (v2), KServe's V1, or plain JSON."
    expr = f"sum by (protocol) (rate({REQUESTS}[$__rate_interval]))"
    return stacked(over_time("Requests by protocol", text, "reqps")).with_target(query(expr, "{{protocol}}"))


def in_flight() -> Panel:
    """Requests in flight."""
    text = "Requests that are being answered, by pod. The server refuses more than its limit with 429."
    expr = f"max by (pod, leeway_dev_version) (leeway_inference_in_flight{{{SERVED}}})"
    return over_time("In flight by pod", text, "none").with_target(query(expr, "{{leeway_dev_version}} {{pod}}"))


def rejected() -> Panel:
    """Refused requests."""
    text = "Requests refused before the model ran: over a limit (overloaded, too_large), late (timeout), or not valid."
    expr = f"sum by (reason) (rate(leeway_inference_rejected_total{{{SERVED}}}[$__rate_interval]))"
    return stacked(over_time("Refused by reason", text, "reqps")).with_target(query(expr, "{{reason}}"))


def cpu() -> Panel:
    """CPU time."""
    text = "CPU time of the model server's container and of KServe's agent beside it, in cores, by pod."
    used = f'container_cpu_usage_seconds_total{{{PODS},container=~"kserve-container|agent"}}'
    expr = f"sum by (pod, container) (rate({used}[$__rate_interval]))"
    return over_time("CPU by pod", text, "none").with_target(query(expr, "{{pod}} {{container}}"))


def memory() -> Panel:
    """Memory."""
    text = "Working set of the model server's container and of KServe's agent, which grows with what it buffers."
    used = f'container_memory_working_set_bytes{{{PODS},container=~"kserve-container|agent"}}'
    expr = f"sum by (pod, container) ({used})"
    return over_time("Memory by pod", text, "bytes").with_target(query(expr, "{{pod}} {{container}}"))


def replicas() -> Panel:
    """Replicas."""
    hpa = 'namespace=~"$namespace",horizontalpodautoscaler=~"($model)-[ab]-scale"'
    by = "max by (horizontalpodautoscaler)"
    text = "Replicas of each slot beside the most that its autoscaler may give it."
    return (
        over_time("Replicas and their maximum", text, "none")
        .with_target(
            query(
                f"{by} (kube_horizontalpodautoscaler_status_current_replicas{{{hpa}}})",
                "{{horizontalpodautoscaler}}",
            )
        )
        .with_target(
            query(
                f"{by} (kube_horizontalpodautoscaler_spec_max_replicas{{{hpa}}})",
                "{{horizontalpodautoscaler}} maximum",
                ref="B",
            )
        )
    )


def load_time() -> Panel:
    """Time to load."""
    text = "Time from the start of a server to ready: what a scale-out waits for, besides the image."
    expr = f"max by ({SIDE}) (leeway_inference_model_load_seconds{{{SERVED}}})"
    return over_time("Time to load the model", text, "s").with_target(query(expr, LEGEND))


def gateway() -> Panel:
    """What the gateway saw."""
    text = (
        "What became of the requests that the gateway sent to the model's pods; a timeout or a refused connection is "
        "seen here and not by the server."
    )
    panel = over_time("As the gateway sees it", text, "reqps")
    names = (("A", "rq_success", "answered"), ("B", "rq_error", "failed"), ("C", "rq_timeout", "timed out"))
    for ref, name, legend in (*names, ("D", "cx_connect_fail", "not connected")):
        expr = f"sum(rate(envoy_cluster_endpoint_{name}{{{GATEWAY}}}[$__rate_interval]))"
        panel.with_target(query(expr, legend, ref=ref))
    return panel


def row_rate() -> Panel:
    """Rows."""
    text = "Rows predicted per second; several may come in one request."
    expr = f"sum by ({SIDE}) (rate(leeway_inference_rows_total{{{SERVED}}}[$__rate_interval]))"
    return stacked(over_time("Rows by version", text, "rowsps")).with_target(query(expr, LEGEND))


def captured() -> Panel:
    """Events for the detector."""
    text = (
        "Events of inferences that the server itself reports (capture mode direct); dropped and failed ones are "
        "missing from drift and evidence. With KServe's agent it reports none."
    )
    expr = f"sum by (outcome) (rate(leeway_inference_capture_events_total{{{SERVED}}}[$__rate_interval]))"
    return stacked(over_time("Reported events by outcome", text, "cps")).with_target(query(expr, "{{outcome}}"))


def restarts() -> Panel:
    """Restarts."""
    text = "Restarts of containers of the model's pods since their start, by pod."
    expr = f"max by (pod, container) (kube_pod_container_status_restarts_total{{{PODS}}})"
    panel = over_time("Restarts", text, "none", steps=((None, "green"), (1, "orange")))
    return panel.with_target(query(expr, "{{pod}} {{container}}"))
