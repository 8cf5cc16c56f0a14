"""Drift and labels: what a model is asked, what it says, and how well it does once the truth is known."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from leeway_dashboards.parts.frame import Row, board, model, namespace, version
from leeway_dashboards.parts.panels import Panel, bars, now, over_time, query, stacked, states
from leeway_dashboards.parts.selectors import VERSION

ALARM = ((None, "green"), (1, "red"))
NEAR = ((None, "green"), (0.7, "orange"), (1, "red"))
WHO = "{{version}} {{detector}} ({{reference}})"


def dashboard() -> Dashboard:
    """The whole of it."""
    return board(
        "leeway-drift",
        "Drift and labels",
        "Whether a model is asked what it was trained on, whether its answers shift, and how good they were.",
        variables=[namespace(), model(), version()],
        rows=[
            Row("Detectors", [scores(), detected(), insufficient(), window()]),
            Row("Inputs", [features(), distances(), missing(), unseen(), out_of_range(), top_value()]),
            Row("Predictions", [predictions(), stored()]),
            Row("Labels", [performance(), calibration(), label_coverage(), label_delay(), labels(), unjoined()]),
        ],
    )


def scores() -> Panel:
    """Scores of the detectors."""
    text = "Score of each detector over its calibrated threshold: from 1 on it has something to say."
    expr = f"max by (version, detector, reference) (leeway_drift_score_ratio{{{VERSION}}})"
    return over_time("Score over threshold", text, "none", steps=ALARM).height(11).with_target(query(expr, WHO))


def detected() -> Panel:
    """Alarms."""
    text = "When a detector had an alarm, which takes more than one window over the threshold."
    expr = f"max by (version, detector, reference) (leeway_drift_detected{{{VERSION}}})"
    panel = states("Alarms", text, {0: ("", "transparent"), 1: ("Alarm", "red")}).height(11)
    return panel.with_target(query(expr, WHO))


def insufficient() -> Panel:
    """Detectors that cannot judge."""
    text = "When a detector could not judge: no profile, too few rows, or too many lost. No data is never good news."
    expr = f"max by (version, detector, reference) (leeway_drift_insufficient{{{VERSION}}})"
    panel = states("Cannot judge", text, {0: ("", "transparent"), 1: ("Insufficient", "orange")}).height(11)
    return panel.with_target(query(expr, WHO))


def window() -> Panel:
    """The open window."""
    text = "Rows in the window that is being filled; it closes when the profile's rows and seconds are both reached."
    expr = f"max by (version) (leeway_drift_window_rows{{{VERSION}}})"
    return over_time("Rows in the open window", text, "none").height(11).with_target(query(expr, "{{version}}"))


def features() -> Panel:
    """Scores of features."""
    text = "The ten features with the highest score over their threshold, by any detector, in its last window."
    expr = f"topk(10, max by (feature) (leeway_drift_feature_score_ratio{{{VERSION}}}))"
    return bars("Features by score over threshold", text, "none", steps=NEAR).with_target(now(expr, "{{feature}}"))


def distances() -> Panel:
    """Distances of features."""
    text = (
        "The ten largest distances of a feature's last window from its reference, in each statistic's own measure; "
        "what is far is said by the score."
    )
    expr = f"topk(10, max by (feature, statistic, reference) (leeway_drift_feature_distance{{{VERSION}}}))"
    legend = "{{feature}} {{statistic}} ({{reference}})"
    return bars("Features by distance", text, "none").with_target(now(expr, legend))


def missing() -> Panel:
    """Missing values."""
    text = "Share of missing values in the latest rows."
    expr = f"max by (version, feature) (leeway_drift_feature_missing_ratio{{{VERSION}}})"
    return over_time("Missing values", text, "percentunit").with_target(query(expr, "{{version}} {{feature}}"))


def unseen() -> Panel:
    """Unseen values."""
    text = "Share of values of the latest rows that are not among the categories of the training data."
    expr = f"max by (version, feature) (leeway_drift_feature_unseen_ratio{{{VERSION}}})"
    return over_time("Unseen categories", text, "percentunit").with_target(query(expr, "{{version}} {{feature}}"))


def out_of_range() -> Panel:
    """Numbers out of bounds."""
    text = "Share of numbers of the latest rows that are outside the bounds that the model's manifest gives."
    expr = f"max by (version, feature) (leeway_drift_feature_out_of_range_ratio{{{VERSION}}})"
    return over_time("Numbers out of range", text, "percentunit").with_target(query(expr, "{{version}} {{feature}}"))


def top_value() -> Panel:
    """The most frequent value."""
    text = "Most that the most frequent value's share can be in the latest rows; 1 is a feature that stands still."
    expr = f"max by (version, feature) (leeway_drift_feature_top_value_ratio{{{VERSION}}})"
    panel = over_time("Share of the most frequent value", text, "percentunit")
    return panel.with_target(query(expr, "{{version}} {{feature}}"))


def predictions() -> Panel:
    """Distance of the predictions."""
    text = "Distance of the outputs' last window from their reference, in each statistic's own measure."
    expr = f"max by (version, output, statistic, reference) (leeway_drift_prediction_distance{{{VERSION}}})"
    panel = over_time("Distance of predictions", text, "none")
    return panel.with_target(query(expr, "{{version}} {{output}} {{statistic}} ({{reference}})"))


def stored() -> Panel:
    """Stored predictions."""
    text = "Predicted rows per second by what became of them in the store, where they wait for their labels."
    expr = f"sum by (outcome) (rate(leeway_drift_predictions_total{{{VERSION}}}[$__rate_interval]))"
    return stacked(over_time("Stored predictions", text, "rowsps")).with_target(query(expr, "{{outcome}}"))


def performance() -> Panel:
    """Performance."""
    text = "How well the newest labelled predictions were, by metric; each in its own measure."
    expr = f"max by (version, metric) (leeway_drift_performance{{{VERSION}}})"
    panel = over_time("Performance", text, "none", least=None)
    return panel.with_target(query(expr, "{{version}} {{metric}}"))


def calibration() -> Panel:
    """Calibration."""
    text = "Calibration gap of the last judged window over what the training period allows; 1 is the limit."
    expr = f"max by (version) (leeway_drift_calibration_gap_ratio{{{VERSION}}})"
    return over_time("Calibration gap over its limit", text, "none", steps=ALARM).with_target(
        query(expr, "{{version}}")
    )


def label_coverage() -> Panel:
    """Label coverage."""
    text = "Labels per stored prediction that is old enough to have one; with few of them performance says little."
    expr = f"max by (version) (leeway_drift_label_coverage_ratio{{{VERSION}}})"
    panel = over_time("Label coverage", text, "percentunit")
    return panel.with_target(query(expr, "{{version}}"))


def label_delay() -> Panel:
    """Label delay."""
    text = "Time from a prediction to its first label, for labels that came lately: half of them, and 95 %."
    buckets = f"leeway_drift_label_delay_seconds_bucket{{{VERSION}}}"
    panel = over_time("Label delay", text, "s")
    for ref, quantile in (("A", 0.5), ("B", 0.95)):
        expr = f"histogram_quantile({quantile}, sum by (le) (rate({buckets}[$__rate_interval])))"
        panel.with_target(query(expr, f"p{quantile * 100:.0f}", ref=ref))
    return panel


def labels() -> Panel:
    """Labels."""
    text = "Labels per second that were joined with a prediction, by what became of them."
    expr = f"sum by (outcome) (rate(leeway_drift_labels_total{{{VERSION}}}[$__rate_interval]))"
    return stacked(over_time("Joined labels", text, "cps")).with_target(query(expr, "{{outcome}}"))


def unjoined() -> Panel:
    """Labels without a prediction."""
    text = (
        "Labels per second of all models that were joined with no prediction: too early, unknown, ambiguous or invalid."
    )
    expr = 'sum by (outcome) (rate(leeway_drift_labels_total{version=""}[$__rate_interval]))'
    return stacked(over_time("Labels joined with nothing (all models)", text, "cps")).with_target(
        query(expr, "{{outcome}}")
    )
