"""A whole dashboard as one picture."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from leeway_dashboards.drawing.panels import FAINT, KINDS, TEXT, Answers
from leeway_dashboards.live import Span, Values
from leeway_dashboards.queries import Dashboard

_WIDTH = 16.0
"""Inches of the 24 columns of Grafana's grid."""
_UNIT = 0.33
"""Inches of one row of it."""
_HEAD = 0.8
_DPI = 90
_COLOURS = 96


def draw(board: Dashboard, answers: Callable[[Any], Answers], values: Values, span: Span, path: Path) -> None:
    """Write the picture.

    Args:
        board: the dashboard.
        answers: gives what a panel's queries found.
        values: what was chosen for its variables.
        span: the time range.
        path: of the PNG.
    """
    panels: Sequence[Any] = board["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    height = _HEAD + _UNIT * rows
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="#111217")
    _title(figure, board, values, span, height)
    for panel in panels:
        place = panel["gridPos"]
        left, width = place["x"] / 24, place["w"] / 24
        top = 1 - (_HEAD + _UNIT * place["y"]) / height
        tall = _UNIT * place["h"] / height
        if panel["type"] == "row":
            figure.text(0.008, top - 0.6 * tall, f"▾ {panel['title']}", color=TEXT, fontsize=11)
            continue
        frame = Rectangle(
            (left + 0.002, top - tall + 0.02 / height),
            width - 0.004,
            tall - 0.06 / height,
            facecolor="#181b1f",
            edgecolor="#2c3235",
            transform=figure.transFigure,
            zorder=-1,
        )
        figure.add_artist(frame)
        figure.text(left + 0.008, top - 0.24 / height, panel["title"], color=TEXT, fontsize=9)
        names = panel["type"] in {"bargauge", "state-timeline"}
        flat = panel["type"] in {"stat", "table"}
        before = 0.008 if flat else 0.14 if names else 0.045
        below = (0.1 if flat else 0.75) / height
        axes = figure.add_axes(
            (left + before, top - tall + below, width - before - 0.012, tall - below - 0.4 / height), facecolor="none"
        )
        axes.tick_params(colors=FAINT, labelsize=7, length=2)
        for side in axes.spines.values():
            side.set_visible(False)
        found = answers(panel)
        if not flat and not any(series for _, series in found):
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=FAINT, fontsize=14)
            continue
        KINDS[panel["type"]](axes, panel, found, span)
    picture = BytesIO()
    figure.savefig(picture)
    # A palette of its own makes it a third as large, and no line looks different.
    Image.open(picture).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def _title(figure: Figure, board: Dashboard, values: Values, span: Span, height: float) -> None:
    shown = {name: chosen[0] if len(chosen) == 1 else "All" for name, chosen in values.items()}
    start, end = (datetime.fromtimestamp(time, UTC) for time in (span.start, span.end))
    chosen = "   ".join(f"{name}: {value}" for name, value in shown.items())
    said = f"{chosen}   {start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC   (drawn by leeway-dashboards, not by Grafana)"
    figure.text(0.008, 1 - 0.32 / height, f"Leeway / {board['title']}", color=TEXT, fontsize=15)
    figure.text(0.008, 1 - 0.6 / height, said, color=FAINT, fontsize=9)
