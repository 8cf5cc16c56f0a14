"""Asks a running Prometheus for everything that the dashboards show."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx

from leeway_dashboards.queries import Dashboard, Query, QueryError, Variable, queries, substitute, variables

Get = Callable[[str, Mapping[str, str]], Any]
"""(path of Prometheus' API, parameters) → `data` of its answer."""
Values = Mapping[str, Sequence[str]]
"""Variable → what is chosen for it."""

POINTS = 300
"""Most points of a series that is asked over time, as a panel has them."""


@dataclass(frozen=True)
class Series:
    """A series of an answer.

    Attributes:
        labels: its labels.
        points: (seconds since 1970, value), oldest first.
    """

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Span:
    """A range of time, in seconds since 1970."""

    start: float
    end: float

    @property
    def seconds(self) -> int:
        """Its length."""
        return round(self.end - self.start)


class PrometheusError(RuntimeError):
    """Prometheus refused a query, or what answered is none; the message has its words."""


def connect(client: httpx.Client) -> Get:
    """Return what asks the Prometheus whose URL the client begins with.

    Raises, when called:
        PrometheusError: it refused, or something else answered.
    """

    def get(path: str, parameters: Mapping[str, str]) -> Any:
        try:
            told = client.get(f"api/v1/{path}", params=dict(parameters)).json()
        except (httpx.HTTPError, ValueError) as error:
            raise PrometheusError(f"{client.base_url} gave no answer of Prometheus' API to {path}: {error}") from error
        if not isinstance(told, dict) or told.get("status") != "success":
            said = told.get("error", told) if isinstance(told, dict) else told
            raise PrometheusError(f"{parameters.get('query', path)}: {said}")
        return told["data"]

    return get


def ask(get: Get, query: Query, values: Values, span: Span) -> list[Series]:
    """What a panel would get: one point per series for an instant query, else at most POINTS.

    Raises:
        PrometheusError: Prometheus refused it.
        QueryError: a variable has no value.
    """
    expr = substitute(query.expr, values, seconds=span.seconds)
    if query.instant:
        found = get("query", {"query": expr, "time": f"{span.end:.3f}"})["result"]
        return [Series(one["metric"], [_point(one["value"])]) for one in found]
    step = max(15, span.seconds // POINTS)
    parameters = {"query": expr, "start": f"{span.start:.3f}", "end": f"{span.end:.3f}", "step": f"{step}s"}
    found = get("query_range", parameters)["result"]
    return [Series(one["metric"], [_point(point) for point in one["values"]]) for one in found]


def _point(point: Sequence[Any]) -> tuple[float, float]:
    return float(point[0]), float(point[1])


def choices(get: Get, board: Dashboard, span: Span, given: Values) -> Iterator[Values]:
    """Values that can be chosen for the dashboard's variables; All for those that take several.

    Args:
        get: asks Prometheus.
        board: the dashboard.
        span: in which the values' series are.
        given: the only values to take, by variable.

    Raises:
        QueryError: a variable has no value at all, or not the given one, whatever the variables before it are.
    """
    without: list[str] = []

    def choose(left: Sequence[Variable], chosen: Values) -> Iterator[Values]:
        if not left:
            yield chosen
            return
        first, *rest = left
        wanted = given.get(first.name)
        found = [value for value in _values(get, first, chosen, span) if wanted is None or value in wanted]
        if not found:
            what = f"a label {first.label}" if wanted is None else f"{first.label} {', '.join(wanted)}"
            without.append(f"variable {first.name} of {board['uid']}: no series of {first.selector} has {what}")
            return
        for values in [found] if first.several else [[value] for value in found]:
            yield from choose(rest, {**chosen, first.name: values})

    chosen = choose(variables(board), {})
    possible = next(chosen, None)
    if possible is None:
        raise QueryError(without[0])
    yield possible
    yield from chosen


def _values(get: Get, variable: Variable, chosen: Values, span: Span) -> list[str]:
    selector = substitute(variable.selector, chosen, seconds=span.seconds)
    parameters = {"match[]": selector, "start": f"{span.start:.3f}", "end": f"{span.end:.3f}"}
    return sorted(get(f"label/{variable.label}/values", parameters))


@dataclass(frozen=True)
class Gap:
    """A query that gave nothing to show.

    Attributes:
        query: which one.
        asked: with values in the place of variables.
        refusal: what Prometheus said when it refused; empty where it found nothing.
    """

    query: Query
    asked: str
    refusal: str = ""

    @property
    def empty(self) -> bool:
        """Whether it could be asked, and found nothing."""
        return not self.refusal

    @property
    def reason(self) -> str:
        """Why there is nothing to show."""
        return self.refusal or "no data"


def gaps(get: Get, board: Dashboard, span: Span, given: Values) -> list[Gap]:
    """Every query of the dashboard that gives no data for any choice of its variables.

    Args:
        get: asks Prometheus.
        board: the dashboard.
        span: in which there have to be data.
        given: the only values to take, by variable; others are taken as they come, until one gives data.

    Raises:
        QueryError: a variable has no value at all.
    """
    open_: dict[Query, Gap] = {}
    left = queries(board)
    for values in choices(get, board, span, given):
        still = []
        for query in left:
            asked = substitute(query.expr, values, seconds=span.seconds)
            try:
                # Over time even what is shown for one instant: a release, for one, may be over by now.
                found = ask(get, replace(query, instant=False), values, span)
            except PrometheusError as error:
                # A wrong query is wrong for every model: no need to ask again.
                open_[query] = Gap(query, asked, str(error))
                continue
            if found:
                open_.pop(query, None)
            else:
                still.append(query)
                open_.setdefault(query, Gap(query, asked))
        left = still
        if not left:
            break
    return list(open_.values())
