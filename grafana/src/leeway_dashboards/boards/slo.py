"""SLO and error budget: what was promised for a model, what is left of it, and how fast it goes.

Everything here reads what the chart's recording rules wrote; objectives are those of its values.
"""

from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import Dashboard

from leeway_dashboards.parts.frame import Row, board, model, namespace
from leeway_dashboards.parts.panels import Panel, now, number, over_time, query
from leeway_dashboards.parts.selectors import MODEL

PERIOD = "30d"
"""Over which a budget is counted: that of the burn rates' alerts."""

WINDOWS = ("5m", "1h", "6h", "3d")
"""Of the recorded windows those that show how a burn began and whether it lasts."""

BUDGET = ((None, "red"), (0, "orange"), (0.25, "green"))
BURN = ((None, "green"), (1, "orange"))


@dataclass(frozen=True)
class Promise:
    """One SLO of a model, by the names of its recorded series.

    Attributes:
        title: how it begins panels' titles.
        bad: series of bad requests, without level and operation.
        all: series of all requests that count.
        objective: series of the share of good ones.
        what: what a bad request is.
    """

    title: str
    bad: str
    all: str
    objective: str
    what: str

    def share(self, window: str) -> str:
        """Share of bad requests over a recorded window."""
        return f"model:{self.bad}:ratio_rate{window}{{{MODEL}}}"

    def budget(self) -> str:
        """Share of requests that may be bad."""
        return f"(1 - model:{self.objective}:ratio{{{MODEL}}})"

    def counted(self, series: str, window: str) -> str:
        """Requests over a window, since what is recorded are rates of minutes."""
        return f"60 * sum_over_time(model:{series}:rate5m{{{MODEL}}}[{window}])"


AVAILABILITY = Promise(
    title="Availability",
    bad="leeway_availability_errors",
    all="leeway_availability_requests",
    objective="leeway_availability_objective",
    what="failed: the server answered 5xx or 429, or the gateway got no good answer",
)
LATENCY = Promise(
    title="Latency",
    bad="leeway_latency_slow",
    all="leeway_latency_requests",
    objective="leeway_latency_objective",
    what="took longer than the promised time",
)


def dashboard() -> Dashboard:
    """The whole of it."""
    return board(
        "leeway-slo",
        "SLO and error budget",
        "How much of a model's error budgets for availability and latency is left, and how fast they are spent.",
        variables=[namespace(), model()],
        rows=[
            Row(
                "Availability",
                [*_numbers(AVAILABILITY), requests(), kept(AVAILABILITY), burn(AVAILABILITY), bad(AVAILABILITY)],
            ),
            Row(
                "Latency",
                [*_numbers(LATENCY), allowed_time(), kept(LATENCY), burn(LATENCY), bad(LATENCY)],
            ),
        ],
        since="now-24h",
    )


def _numbers(promise: Promise) -> list[Panel]:
    return [objective(promise), budget_left(promise), bad_requests(promise), days_left(promise)]


def objective(promise: Promise) -> Panel:
    """What was promised."""
    expr = f"max(model:{promise.objective}:ratio{{{MODEL}}})"
    text = f"Share of the requests, over {PERIOD}, that are to be good. A bad one {promise.what}."
    return number(f"{promise.title} objective", text, "percentunit").decimals(2).with_target(now(expr))


def budget_left(promise: Promise) -> Panel:
    """What is left."""
    share = f"{promise.counted(promise.bad, PERIOD)} / ({promise.counted(promise.all, PERIOD)} > 0)"
    expr = f"1 - ({share}) / {promise.budget()}"
    text = f"Error budget of the last {PERIOD} that is not spent, or of as long as Prometheus keeps; below 0: broken."
    panel = number(f"{promise.title} budget left", text, "percentunit", steps=BUDGET)
    return panel.decimals(1).with_target(now(expr))


def bad_requests(promise: Promise) -> Panel:
    """What was spent, in requests."""
    expr = f"sum({promise.counted(promise.bad, PERIOD)})"
    text = f"Requests of the last {PERIOD} that were bad, of which each {promise.what}."
    return number(f"{promise.title}: bad requests", text, "short").decimals(0).with_target(now(expr))


def days_left(promise: Promise) -> Panel:
    """How fast it goes."""
    expr = f"{promise.share('6h')} / {promise.budget()}"
    text = f"How fast the budget is spent by the last six hours: at 1 it lasts {PERIOD}, at 2 half as long."
    return number(f"{promise.title} burn rate", text, "none", steps=BURN).decimals(2).with_target(now(expr))


def requests() -> Panel:
    """How many requests count."""
    expr = f"sum({AVAILABILITY.counted(AVAILABILITY.all, PERIOD)})"
    text = f"Requests of the last {PERIOD}, which a budget is a share of: of few, one is a large part of it."
    return number("Requests", text, "short").span(8).decimals(0).with_target(now(expr))


def allowed_time() -> Panel:
    """The promised time."""
    expr = f"max(model:leeway_latency_threshold:seconds{{{MODEL}}})"
    text = "Time within which a prediction is to be made; a bucket bound of the server's histogram."
    return number("Promised time", text, "s").span(8).with_target(now(expr))


def kept(promise: Promise) -> Panel:
    """Whether it is kept."""
    text = "Share of good requests over an hour and over three days, beside what was promised."
    panel = over_time(f"{promise.title} and its objective", text, "percentunit", least=None)
    return (
        panel.with_target(query(f"1 - {promise.share('1h')}", "1h"))
        .with_target(query(f"1 - {promise.share('3d')}", "3d", ref="B"))
        .with_target(query(f"max(model:{promise.objective}:ratio{{{MODEL}}})", "objective", ref="C"))
    )


def burn(promise: Promise) -> Panel:
    """Burn rates."""
    text = (
        f"Share of bad requests over the allowed one, by window: at 1 the budget lasts {PERIOD}. Alerts need a long "
        "and a short window."
    )
    panel = over_time(f"{promise.title} burn rate by window", text, "none", steps=BURN)
    for ref, window in zip("ABCD", WINDOWS, strict=True):
        panel.with_target(query(f"{promise.share(window)} / {promise.budget()}", window, ref=ref))
    return panel


def bad(promise: Promise) -> Panel:
    """Bad requests over time."""
    text = f"Requests per second that count, and those of them that were bad: each {promise.what}."
    panel = over_time(f"{promise.title}: requests and bad ones", text, "reqps").span(24)
    return panel.with_target(query(f"sum(model:{promise.all}:rate5m{{{MODEL}}})", "all")).with_target(
        query(f"sum(model:{promise.bad}:rate5m{{{MODEL}}})", "bad", ref="B")
    )
