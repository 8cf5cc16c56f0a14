"""Pictures say what Grafana's panels say."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from leeway_dashboards.drawing.page import draw
from leeway_dashboards.drawing.panels import KINDS, Answers
from leeway_dashboards.drawing.tables import joined
from leeway_dashboards.drawing.values import COLOURS, colour, written
from leeway_dashboards.live import Series, Span
from leeway_dashboards.queries import Dashboard, of_panel, panels

SPAN = Span(0.0, 600.0)


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "expected"),
    [
        (0.125, "percentunit", None, "12.5 %"),
        (50, "percent", None, "50 %"),
        (0.0421, "s", None, "42.1 ms"),
        (0, "s", None, "0 s"),
        (90, "s", None, "1.5 min"),
        (3 * 2**20, "bytes", None, "3 MiB"),
        (1234567, "short", 1, "1.2 Mil"),
        (39.96, "reqps", 1, "40.0 req/s"),
        (123.4, "none", None, "123"),
        (float("nan"), "s", None, "NaN"),
    ],
)
def test_a_number_has_its_unit(value: float, unit: str, decimals: int | None, expected: str) -> None:
    assert written(value, unit, decimals) == expected


def test_every_unit_of_the_dashboards_can_be_written(built: list[Dashboard]) -> None:
    units = {panel["fieldConfig"]["defaults"]["unit"] for board in built for panel in panels(board)}
    assert all(written(1, unit).startswith("1") or unit == "percentunit" for unit in units)


@given(st.floats(-1e6, 1e6))
def test_a_value_has_the_colour_of_the_last_threshold_that_it_reaches(value: float) -> None:
    steps = [{"value": None, "color": "green"}, {"value": 0, "color": "orange"}, {"value": 1, "color": "red"}]
    expected = "red" if value >= 1 else "orange" if value >= 0 else "green"
    assert colour(value, {"steps": steps}) == COLOURS[expected]


def series(value: float, **labels: str) -> Series:
    return Series(labels, [(0.0, value)])


def test_rows_with_the_same_labels_are_one_row() -> None:
    rates = [series(3, model="a"), series(4, model="b")]
    versions = [series(100, model="b", version="2"), series(100, model="c", version="1")]
    assert joined([("A", rates), ("B", versions)]) == [
        {"model": "a", "Value #A": 3},
        {"model": "b", "Value #A": 4, "version": "2", "Value #B": 100},
        {"model": "c", "version": "1", "Value #B": 100},
    ]
    assert joined([("A", rates[:1])]) == [{"model": "a", "Value": 3}]


def answered(panel: dict[str, Any], found: Sequence[Series]) -> Answers:
    return [(query, found) for query in of_panel("", panel)]


def drawn(kind: str, found: Sequence[Series], panel: dict[str, Any]) -> Axes:
    axes = Figure().add_subplot()
    KINDS[kind](axes, panel, answered(panel, found), SPAN)
    return axes


def titled(built: list[Dashboard], title: str) -> dict[str, Any]:
    return next(dict(panel) for board in built for panel in panels(board) if panel["title"] == title)


def values(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata())]


def test_a_line_is_not_drawn_over_a_gap(built: list[Dashboard]) -> None:
    points = [(float(time), 1.0) for time in (0, 15, 30, 300, 315)]
    axes = drawn("timeseries", [Series({"model": "a"}, points)], titled(built, "Failed requests by model"))
    assert [values(line) for line in axes.get_lines()][:2] == [[1, 1, 1], [1, 1]]


def test_lines_on_top_of_each_other_add_up(built: list[Dashboard]) -> None:
    found = [Series({"namespace": "n", "model": name}, [(0.0, 2.0), (15.0, 3.0)]) for name in "ab"]
    axes = drawn("timeseries", found, titled(built, "Requests by model"))
    assert [values(line) for line in axes.get_lines()] == [[2, 3], [4, 6]]


def test_a_number_that_is_not_known_is_not_0(built: list[Dashboard]) -> None:
    panel = titled(built, "Failed requests")
    assert [text.get_text() for text in drawn("stat", [], panel).texts] == ["no data"]
    assert [text.get_text() for text in drawn("stat", [series(0)], panel).texts] == ["0 %"]


def test_a_state_is_written_by_its_word(built: list[Dashboard]) -> None:
    found = [Series({"gate": "errors"}, [(0.0, 0.0), (15.0, 2.0)])]
    axes = drawn("state-timeline", found, titled(built, "Verdicts"))
    assert [text.get_text() for text in axes.texts] == ["■ Insufficient", "■ Fail"]
    assert len(axes.patches) == 2


def test_a_whole_dashboard_becomes_a_picture_with_and_without_data(built: list[Dashboard], tmp_path: Path) -> None:
    board = next(board for board in built if board["uid"] == "leeway-fleet")
    chosen = {"namespace": ["leeway"], "model": ["a", "b"]}
    for name, found in (("full", [Series({"model": "a"}, [(0.0, 1.0), (300.0, 0.5)])]), ("empty", [])):
        draw(board, partial(answered, found=found), chosen, SPAN, tmp_path / f"{name}.png")
    full, empty = ((tmp_path / f"{name}.png").read_bytes() for name in ("full", "empty"))
    assert full.startswith(b"\x89PNG")
    assert full != empty
