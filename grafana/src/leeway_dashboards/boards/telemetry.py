"""Telemetry health: whether what the other dashboards show can be believed."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from leeway_dashboards.parts.frame import Row, board, model, namespace
from leeway_dashboards.parts.panels import Panel, grid, now, number, over_time, query, rows, stacked
from leeway_dashboards.parts.selectors import MODEL

DOWN = ((None, "green"), (1, "red"))
LOST = 'outcome=~"dropped|late|incomplete|malformed|too_large|refused|undecodable"'
TARGETS = 'job=~".*leeway.*|kube-state-metrics|kubelet"'


def dashboard() -> Dashboard:
    """The whole of it."""
    return board(
        "leeway-telemetry",
        "Telemetry health",
        "Whether the other dashboards can be believed: targets scraped, events arriving, detector and operator up.",
        variables=[namespace(several=True), model(several=True)],
        rows=[
            Row("Now", [targets_down(), watchdog(), worst_coverage(), queue_now(), snapshot_age(), streams()]),
            Row("Targets", [targets(), scrape_time(), samples(), firing()]),
            Row("Events", [events(), strays(), lost(), coverage(), captured(), queue()]),
            Row("Detector", [evaluations(), window_age(), worker(), profiles()]),
            Row("Operator", [reconciliations(), reconcile_time(), reconcile_errors(), evidence_age()]),
            Row("Detectors that share their counts", [evaluating(), shared_up(), shared_parts()]),
        ],
    )


def targets_down() -> Panel:
    """Targets that do not answer."""
    expr = f"count(up{{{TARGETS}}}) - sum(up{{{TARGETS}}})"
    text = "Targets that did not answer the last scrape. Those that Prometheus does not know are not counted."
    return number("Targets down", text, "none", steps=DOWN).with_target(now(expr))


def watchdog() -> Panel:
    """Whether alerts work at all."""
    expr = 'sum(ALERTS{alertname="Watchdog",alertstate="firing"})'
    text = (
        "1 while the alert that always fires does: rules are evaluated. No data means that no alert can be relied on."
    )
    return number("Watchdog", text, "none", steps=((None, "red"), (1, "green"))).with_target(now(expr))


def worst_coverage() -> Panel:
    """The worst coverage."""
    expr = f"min(leeway_drift_coverage_ratio{{{MODEL}}})"
    text = (
        "Rows that the detector saw over rows that were served in the same minutes, of the version where this is least."
    )
    steps = ((None, "red"), (0.9, "orange"), (0.99, "green"))
    return number("Least coverage", text, "percentunit", steps=steps).with_target(now(expr))


def queue_now() -> Panel:
    """The queue."""
    text = "Events and batches that the detector has accepted and not yet decoded."
    return number("Queue", text, "none").with_target(now("sum(leeway_drift_queue_depth)"))


def snapshot_age() -> Panel:
    """Age of the snapshot."""
    expr = "time() - max(leeway_drift_snapshot_timestamp_seconds)"
    text = "Time since the detector last saved its state; that much of the windows is lost when it dies."
    steps = ((None, "green"), (300, "orange"), (900, "red"))
    return number("Age of the saved state", text, "s", steps=steps).with_target(now(expr))


def streams() -> Panel:
    """Streams that were refused."""
    expr = "sum(increase(leeway_drift_streams_refused_total[$__range]))"
    text = "Events, within the time range, of versions that were one too many for the detector: nobody watches those."
    return number("Events of refused streams", text, "none", steps=DOWN).decimals(0).with_target(now(expr))


def targets() -> Panel:
    """Targets by job."""
    panel = grid(
        "Targets",
        "Targets of each job: how many Prometheus knows, and how many answered.",
        {
            "job": {"displayName": "Job"},
            "Value #A": {"displayName": "Known", "unit": "none"},
            "Value #B": {"displayName": "Up", "unit": "none"},
        },
    )
    return (
        panel.height(8)
        .span(12)
        .with_target(rows(f"count by (job) (up{{{TARGETS}}})", ref="A"))
        .with_target(rows(f"sum by (job) (up{{{TARGETS}}})", ref="B"))
    )


def scrape_time() -> Panel:
    """Time of a scrape."""
    text = "Time that the slowest target of each job took to answer a scrape."
    expr = f"max by (job) (scrape_duration_seconds{{{TARGETS}}})"
    return over_time("Slowest scrape by job", text, "s").with_target(query(expr, "{{job}}"))


def samples() -> Panel:
    """Series."""
    text = "Series that are kept of each job: what monitoring costs Prometheus."
    expr = f"sum by (job) (scrape_samples_post_metric_relabeling{{{TARGETS}}})"
    return stacked(over_time("Series by job", text, "none")).with_target(query(expr, "{{job}}"))


def firing() -> Panel:
    """Alerts over time."""
    text = "Alerts that fired, by severity, with the Watchdog, which always does."
    expr = 'sum by (severity) (ALERTS{alertstate="firing",severity=~"critical|warning|info"})'
    return stacked(over_time("Alerts firing by severity", text, "none")).with_target(query(expr, "{{severity}}"))


def events() -> Panel:
    """Events by outcome."""
    text = "Events per second by what became of them; every one that arrives has exactly one outcome."
    expr = f"sum by (outcome) (rate(leeway_drift_events_total{{{MODEL}}}[$__rate_interval]))"
    return stacked(over_time("Events by outcome", text, "cps")).with_target(query(expr, "{{outcome}}"))


def strays() -> Panel:
    """Events that belong to no version."""
    text = "Events per second that could not be told apart enough to belong to a version, by what became of them."
    expr = 'sum by (outcome) (rate(leeway_drift_events_total{version=""}[$__rate_interval]))'
    return stacked(over_time("Events of no version", text, "cps")).with_target(query(expr, "{{outcome}}"))


def lost() -> Panel:
    """Lost events."""
    text = (
        "Share of the events that arrived and did not reach a window: dropped, late, broken or refused. Those of no "
        "version count among all."
    )
    gone = f"sum by (model) (rate(leeway_drift_events_total{{{MODEL},{LOST}}}[$__rate_interval]))"
    everything = f"sum by (model) (rate(leeway_drift_events_total{{{MODEL}}}[$__rate_interval]))"
    panel = over_time("Lost events", text, "percentunit", steps=((None, "green"), (0.01, "orange")))
    of_all, rates = f"{{{LOST}}}", "sum(rate(leeway_drift_events_total%s[$__rate_interval]))"
    return panel.with_target(query(f"{gone} / ({everything} > 0)", "{{model}}")).with_target(
        query(f"{rates % of_all} / ({rates % ''} > 0)", "all", ref="B")
    )


def coverage() -> Panel:
    """Coverage."""
    text = "Rows that the detector saw over rows that were served in the same minutes."
    expr = f"min by (model, version) (leeway_drift_coverage_ratio{{{MODEL}}})"
    return over_time("Coverage", text, "percentunit").with_target(query(expr, "{{model}} {{version}}"))


def captured() -> Panel:
    """Events as the servers report them."""
    text = "Events that the servers themselves report (capture mode direct), by what became of them."
    expr = (
        "sum by (outcome) (rate(leeway_inference_capture_events_total"
        '{namespace=~"$namespace",leeway_dev_model=~"$model"}[$__rate_interval]))'
    )
    return stacked(over_time("Events reported by servers", text, "cps")).with_target(query(expr, "{{outcome}}"))


def queue() -> Panel:
    """The queue over time."""
    text = "Events and batches accepted and not yet decoded, by detector. A full queue gives way to newer events."
    return over_time("Queue by detector", text, "none").with_target(
        query("max by (pod) (leeway_drift_queue_depth)", "{{pod}}")
    )


def evaluations() -> Panel:
    """Time of a judgement."""
    text = "Time under which 95 % of the windows are judged, by detector."
    buckets = "leeway_drift_evaluation_duration_seconds_bucket"
    expr = f"histogram_quantile(0.95, sum by (detector, le) (rate({buckets}[$__rate_interval])))"
    return over_time("Time to judge a window (p95)", text, "s").with_target(query(expr, "{{detector}}"))


def window_age() -> Panel:
    """Age of the last judged window."""
    text = (
        "Time since the end of the window that was judged last; it grows without traffic, and when a detector is stuck."
    )
    expr = f"time() - max by (model, detector) (leeway_drift_window_end_timestamp_seconds{{{MODEL}}})"
    return over_time("Age of the last judged window", text, "s").with_target(query(expr, "{{model}} {{detector}}"))


def worker() -> Panel:
    """The worker."""
    text = "1 while the worker of Alibi-Detect runs (it rests without windows), and its restarts after a death."
    return (
        over_time("Alibi-Detect worker", text, "none")
        .with_target(query("max(leeway_drift_worker_up)", "runs"))
        .with_target(query("sum(leeway_drift_worker_restarts_total)", "restarts", ref="B"))
    )


def profiles() -> Panel:
    """Profiles."""
    panel = grid(
        "Drift profiles",
        "The profile that each version is judged by. A version that is missing here is judged by none.",
        {
            "model": {"displayName": "Model"},
            "version": {"displayName": "Version"},
            "method": {"displayName": "Calibrated by"},
            "digest": {"displayName": "Digest"},
        },
        drop=["Value"],
    )
    expr = f"max by (model, version, method, digest) (leeway_drift_profile_info{{{MODEL}}})"
    return panel.height(8).span(12).with_target(rows(expr, ref="A"))


def reconciliations() -> Panel:
    """Reconciliations."""
    text = "Reconciliations per second. None for minutes is an operator that does not look."
    expr = "sum(rate(leeway_rollout_reconcile_duration_seconds_count[$__rate_interval]))"
    return over_time("Reconciliations", text, "cps").with_target(query(expr, "all models"))


def reconcile_time() -> Panel:
    """Time of a reconciliation."""
    text = "Time under which half and 95 % of the reconciliations end."
    panel = over_time("Time of a reconciliation", text, "s")
    for ref, quantile in (("A", 0.5), ("B", 0.95)):
        buckets = "leeway_rollout_reconcile_duration_seconds_bucket"
        expr = f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[$__rate_interval])))"
        panel.with_target(query(expr, f"p{quantile * 100:.0f}", ref=ref))
    return panel


def reconcile_errors() -> Panel:
    """Failed reconciliations."""
    text = "Reconciliations that ended in an error and are tried again, per second."
    expr = f"sum by (model) (rate(leeway_rollout_reconcile_errors_total{{{MODEL}}}[$__rate_interval]))"
    panel = over_time("Failed reconciliations", text, "cps", steps=((None, "green"), (0.01, "orange")))
    return panel.with_target(query(expr, "{{model}}"))


def evidence_age() -> Panel:
    """Age of the evidence."""
    text = "Age of the newest evidence of each comparison that is under way, by source."
    expr = f"max by (model, source) (leeway_rollout_evidence_age_seconds{{{MODEL}}})"
    panel = over_time("Age of evidence", text, "s", steps=((None, "green"), (60, "orange"), (300, "red")))
    return panel.with_target(query(expr, "{{model}} {{source}}"))


def evaluating() -> Panel:
    """The replica that judges."""
    text = "1 for the replica whose windows and verdicts count. Only with driftDetector.replicas above 1."
    return (
        over_time("Replica that judges", text, "none")
        .span(8)
        .with_target(query("max by (pod) (leeway_drift_evaluating)", "{{pod}}"))
    )


def shared_up() -> Panel:
    """Whether counts can be shared."""
    text = "1 while a replica reaches the counts that all share. Only with driftDetector.replicas above 1."
    return (
        over_time("Shared counts reached", text, "none")
        .span(8)
        .with_target(query("min by (pod) (leeway_drift_shared_up)", "{{pod}}"))
    )


def shared_parts() -> Panel:
    """What became of shared counts."""
    text = "Counts of a version's tick by what became of them. Only with driftDetector.replicas above 1."
    expr = "sum by (outcome) (rate(leeway_drift_shared_parts_total[$__rate_interval]))"
    return stacked(over_time("Shared counts by outcome", text, "cps")).span(8).with_target(query(expr, "{{outcome}}"))
