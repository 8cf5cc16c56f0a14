"""The expressions of dashboards, with Grafana's variables filled in."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leeway_operators.verify.core.uses import ANYTHING, Manifest, Use

_BUILT_IN = {
    "__rate_interval": "5m",
    "__interval": "1m",
    "__range": "1h",
    "__range_s": "3600",
    "__range_ms": "3600000",
    "__interval_ms": "60000",
    "__rate_interval_ms": "300000",
    "__from": "0",
    "__to": "0",
}
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(?::[^}]*)?\}|\$([A-Za-z_]\w*)|\[\[([A-Za-z_]\w*)(?::[^\]]*)?\]\]")
_STRING = re.compile(r'("(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\')')
_LABEL_VALUES = re.compile(r"label_values\((?:(?P<of>.+),)?\s*(?P<label>[A-Za-z_]\w*)\s*\)", re.DOTALL)
_QUERY_RESULT = re.compile(r"query_result\((?P<of>.+)\)", re.DOTALL)


class DashboardError(ValueError):
    """It is no dashboard; the text says which."""


def of_dashboards(config_maps: Iterable[Manifest]) -> Iterator[Use]:
    """Every expression of the dashboards in ConfigMaps.

    Raises:
        DashboardError: a file ends in .json and holds no JSON object.
    """
    for config_map in config_maps:
        for file, text in (config_map.get("data") or {}).items():
            if file.endswith(".json"):
                yield from _of_dashboard(_board(config_map["metadata"]["name"], file, text))


def _board(config_map: str, file: str, text: str) -> Mapping[str, Any]:
    try:
        board = json.loads(text)
    except ValueError as error:
        raise DashboardError(f"{file} of ConfigMap {config_map} is no JSON: {error}") from error
    if not isinstance(board, dict):
        raise DashboardError(f"{file} of ConfigMap {config_map} is no JSON object")
    return board


def _of_dashboard(board: Mapping[str, Any]) -> Iterator[Use]:
    name = f"dashboard {board.get('uid') or board.get('title')}"
    variables = board.get("templating", {}).get("list", [])
    values = {variable["name"]: _chosen(variable) for variable in variables}
    for panel in _panels(board):
        for target in panel.get("targets", []):
            kind = (target.get("datasource") or panel.get("datasource") or {}).get("type", "prometheus")
            if kind == "prometheus" and target.get("expr"):
                by = f"{name}: {panel.get('title') or panel.get('id')}"
                yield Use(by=by, expression=filled(target["expr"], values))
    for annotation in board.get("annotations", {}).get("list", []):
        if annotation.get("expr"):
            yield Use(by=f"{name}: {annotation.get('name')}", expression=filled(annotation["expr"], values))
    for variable in variables:
        yield from _of_variable(name, variable, values)


def _panels(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for panel in board.get("panels", []):
        yield panel
        yield from _panels(panel)


def _of_variable(board: str, variable: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[Use]:
    if variable.get("type") != "query":
        return
    query = variable.get("query")
    text = str(query.get("query", "") if isinstance(query, dict) else query or "").strip()
    by = f"{board}: ${variable['name']}"
    if (told := _LABEL_VALUES.fullmatch(text)) and told["of"]:
        yield Use(by=by, expression=filled(told["of"], values), wanted=frozenset({told["label"]}))
    elif told := _QUERY_RESULT.fullmatch(text):
        yield Use(by=by, expression=filled(told["of"], values))


def _chosen(variable: Mapping[str, Any]) -> str:
    """What a variable stands for outside a string: a duration, a number or a label's name."""
    value = (variable.get("current") or {}).get("value")
    return value if isinstance(value, str) and value and not value.startswith("$__") else ANYTHING


def filled(expression: str, values: Mapping[str, str]) -> str:
    """An expression that Prometheus reads: in strings each variable is anything, elsewhere what is chosen."""
    parts = _STRING.split(expression)
    for index, part in enumerate(parts):
        inside = index % 2 == 1

        def value(variable: re.Match[str], *, inside: bool = inside) -> str:
            name = next(group for group in variable.groups() if group)
            if name in _BUILT_IN:
                return _BUILT_IN[name]
            return ANYTHING if inside else values.get(name, ANYTHING)

        parts[index] = _VARIABLE.sub(value, part)
    return "".join(parts)
