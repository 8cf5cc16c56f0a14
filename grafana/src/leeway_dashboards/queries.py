"""What a dashboard asks, read off its JSON: queries with their panels, variables, and the series that they name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import promql_parser

Dashboard = Mapping[str, Any]
"""A dashboard as Grafana reads it."""

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|([a-z_]\w*))")
# What Grafana puts in for a panel of some hundred pixels over some hours, where a scrape comes every 10 s.
_BUILTIN = {"__rate_interval": "2m", "__interval": "1m"}
# Has to be escaped in a value that becomes a part of a regular expression.
_SPECIAL = re.compile(r"[\\^$*+?.()|{}\[\]]")


class QueryError(ValueError):
    """A query that cannot be asked; the message says which and why."""


@dataclass(frozen=True)
class Query:
    """One query of one panel.

    Attributes:
        board: uid of the dashboard.
        panel: title of the panel.
        ref: name of the query within the panel.
        expr: PromQL with Grafana's variables.
        legend: how its series are named, by labels in double braces.
        instant: asked at the end of the time range alone.
    """

    board: str
    panel: str
    ref: str
    expr: str
    legend: str
    instant: bool

    def __str__(self) -> str:
        """Where it is."""
        return f"{self.board} / {self.panel} / {self.ref}"


@dataclass(frozen=True)
class Variable:
    """A variable whose values a data source gives.

    Attributes:
        name: without the dollar.
        label: whose values it takes.
        selector: of the series that have them, with variables.
        several: more than one value can be chosen.
    """

    name: str
    label: str
    selector: str
    several: bool


def panels(board: Dashboard) -> Iterator[Mapping[str, Any]]:
    """Its panels, without the headings of rows, with what collapsed rows hold."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def queries(board: Dashboard) -> list[Query]:
    """Every query of its panels, from top to bottom."""
    return [query for panel in panels(board) for query in of_panel(board["uid"], panel)]


def of_panel(board: str, panel: Mapping[str, Any]) -> list[Query]:
    """The queries of one panel of the dashboard with the uid `board`."""
    return [
        Query(
            board=board,
            panel=panel["title"],
            ref=target["refId"],
            expr=target["expr"],
            legend=target.get("legendFormat", ""),
            instant=bool(target.get("instant")),
        )
        for target in panel.get("targets", ())
    ]


def variables(board: Dashboard) -> list[Variable]:
    """Its variables that a query fills, in the order in which they depend on each other.

    Raises:
        QueryError: one is not of the form label_values(series, label).
    """
    found = []
    for one in board["templating"]["list"]:
        if one["type"] != "query":
            continue
        text = one["query"]["query"]
        matched = re.fullmatch(r"label_values\((.+),\s*(\w+)\)", text)
        if matched is None:
            raise QueryError(f"variable {one['name']} of {board['uid']} asks {text}; label_values(…, …) was expected")
        found.append(
            Variable(name=one["name"], label=matched[2], selector=matched[1], several=bool(one.get("multi", False)))
        )
    return found


def used(expr: str) -> set[str]:
    """Names of the variables in a text, Grafana's own left out."""
    return {name for one, other in _VARIABLE.findall(expr) if not (name := one or other).startswith("__")}


def substitute(expr: str, values: Mapping[str, Sequence[str]], *, seconds: int) -> str:
    """Put values in the place of variables, as Grafana's Prometheus data source does.

    Args:
        expr: PromQL with variables.
        values: variable → what is chosen; several become an alternation.
        seconds: of the dashboard's time range.

    Raises:
        QueryError: a variable has no value.
    """

    def value(matched: re.Match[str]) -> str:
        name = matched[1] or matched[2]
        if name in _BUILTIN:
            return _BUILTIN[name]
        if name == "__range":
            return f"{seconds}s"
        if not values.get(name):
            raise QueryError(f"${name} has no value in {expr}")
        # Once for the regular expression, and once more for the string of PromQL that it stands in.
        chosen = [_SPECIAL.sub(r"\\\g<0>", one).replace("\\", r"\\") for one in values[name]]
        return chosen[0] if len(chosen) == 1 else f"({'|'.join(chosen)})"

    return _VARIABLE.sub(value, expr)


@dataclass(frozen=True)
class Selected:
    """Series that an expression reads.

    Attributes:
        metric: its name.
        labels: that it is matched by.
    """

    metric: str
    labels: frozenset[str]


def selected(expr: str) -> list[Selected]:
    """What an expression without variables reads, by PromQL's own grammar.

    Raises:
        QueryError: it is no PromQL, or names no metric.
    """
    found: list[Selected] = []

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            if node.name is None:
                raise QueryError(f"a selector of {expr} names no metric")
            found.append(Selected(node.name, frozenset(matcher.name for matcher in node.matchers.matchers)))

    parsed = _parse(expr)
    promql_parser.walk(parsed, visit)
    return found


def grouped(expr: str) -> set[str]:
    """Labels that an expression without variables groups and joins by.

    Raises:
        QueryError: it is no PromQL.
    """
    found: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            found.update(node.modifier.labels)
        if isinstance(node, promql_parser.BinaryExpr) and node.modifier is not None:
            matching = node.modifier.matching
            found.update(matching.labels if matching is not None else ())

    promql_parser.walk(_parse(expr), visit)
    return found


def _parse(expr: str) -> promql_parser.Expr:
    try:
        return promql_parser.parse(expr)
    except ValueError as error:
        raise QueryError(f"{expr} is no PromQL: {error}") from error
