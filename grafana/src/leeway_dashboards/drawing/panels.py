"""A panel of each kind, drawn into its place."""

import re
from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter, MaxNLocator

from leeway_dashboards.drawing.tables import joined, ordered
from leeway_dashboards.drawing.values import COLOURS, colour, written
from leeway_dashboards.live import Series, Span
from leeway_dashboards.queries import Query

Answers = Sequence[tuple[Query, Sequence[Series]]]
"""Each query of a panel with what it gave."""
Panel = Mapping[str, Any]
"""A panel as Grafana reads it."""

PALETTE = ("#73bf69", "#fade2a", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#37872d", "#8ab8ff", "#ffcb7d", "#ff7383")
TEXT, FAINT, GRID = "#ccccdc", "#8e8e9c", "#2c3235"
_MOST = 12
"""Bars that fit."""
_DIGIT = 5.0
"""Pixels of a letter in a legend."""
_LINE, _LETTER = 18.0, 6.0
"""Pixels of a table's row, and of a letter in it."""


_DAY = 86400.0
"""Seconds of the unit that matplotlib counts time in, since 1970."""


def named(legend: str, labels: Mapping[str, str]) -> str:
    """A series' name, by its labels in double braces."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend).strip()


def over_time(axes: Axes, panel: Panel, answers: Answers, span: Span) -> None:
    """Lines, stacked or not, with thresholds as dashed lines."""
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    lines = sorted(
        (named(query.legend, one.labels), index, one) for query, series in answers for index, one in enumerate(series)
    )
    ground = dict[float, float]()
    colours = cycle(PALETTE)
    ends: dict[str, Series] = {}
    for name, _, one in lines:
        properties = _overrides(panel, name)
        ends[name] = one
        fixed = properties.get("color", {}).get("fixedColor")
        shade = COLOURS[fixed] if fixed else next(colours)
        for part in _unbroken(one):
            times = [time / _DAY for time, _ in part]
            values = [value for _, value in part]
            if custom.get("stacking", {}).get("mode") == "normal":
                below = [ground.get(time, 0.0) for time, _ in part]
                values = [low + value for low, value in zip(below, values, strict=True)]
                ground.update({time: value for (time, _), value in zip(part, values, strict=True)})
                axes.fill_between(times, below, values, color=shade, alpha=0.35, linewidth=0)
            style = "--" if "custom.lineStyle" in properties else "-"
            stepped = custom.get("lineInterpolation") == "stepAfter"
            axes.plot(
                times,
                values,
                style,
                color=shade,
                linewidth=properties.get("custom.lineWidth", 1.2),
                drawstyle="steps-post" if stepped else "default",
                label=name,
            )
            name = "_"  # noqa: PLW2901 - further parts of a line are not named again
    _band(axes, panel, ends)
    _frame(axes, defaults, span)
    _legend(axes)


def _unbroken(series: Series) -> list[list[tuple[float, float]]]:
    """Parts of a series without gaps: a point that is missing is not drawn over."""
    points = list(series.points)
    step = min((later - earlier for (earlier, _), (later, _) in pairwise(points)), default=0.0)
    parts = [points[:1]]
    for before, point in pairwise(points):
        if point[0] - before[0] > 1.5 * step:
            parts.append([])
        parts[-1].append(point)
    return parts


def _overrides(panel: Panel, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] == {"id": "byName", "options": name}:
            found |= {one["id"]: one["value"] for one in override["properties"]}
    return found


def _band(axes: Axes, panel: Panel, lines: Mapping[str, Series]) -> None:
    for name, upper in lines.items():
        below = _overrides(panel, name).get("custom.fillBelowTo", "")
        if below not in lines:
            continue
        lows = dict(lines[below].points)
        for part in _unbroken(Series(upper.labels, [point for point in upper.points if point[0] in lows])):
            times = [time / _DAY for time, _ in part]
            ends = [lows[time] for time, _ in part], [value for _, value in part]
            axes.fill_between(times, *ends, color="#8ab8ff", alpha=0.18, linewidth=0)


def _frame(axes: Axes, defaults: Mapping[str, Any], span: Span) -> None:
    _over(axes, span)
    scale = defaults["custom"].get("scaleDistribution", {})
    if scale.get("type") == "symlog":
        axes.set_yscale("symlog", linthresh=scale["linearThreshold"])
    low, high = axes.get_ylim()
    bottom = defaults.get("min", low)
    top = defaults.get("max", high if high > bottom else bottom + 1)
    if defaults["custom"].get("thresholdsStyle", {}).get("mode") == "dashed":
        for step in defaults["thresholds"]["steps"]:
            # As in Grafana, a line far above the data would press them flat.
            if step["value"] is not None and step["value"] <= max(3 * top, 1):
                top = max(top, 1.1 * step["value"])
                axes.axhline(step["value"], color=COLOURS[step["color"]], linestyle=(0, (6, 4)), linewidth=1)
    axes.set_ylim(bottom, top)
    if scale.get("type") != "symlog":
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, defaults["unit"])))
    axes.grid(visible=True, color=GRID, linewidth=0.6)


def _over(axes: Axes, span: Span) -> None:
    axes.set_xlim(span.start / _DAY, span.end / _DAY)
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def _legend(axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    longest = max(map(len, names), default=0)
    wide = axes.get_window_extent().width / _DIGIT
    beside = max(1, min(4, int(wide / (longest + 6))))
    most = 3 * beside
    if len(names) > most:
        names = [*names[: most - 1], f"and {len(names) - most + 1} more"]
    if any(names):
        axes.legend(
            handles[: len(names)],
            names,
            loc="upper left",
            bbox_to_anchor=(-0.01, -0.1),
            ncols=beside,
            fontsize=6.5,
            frameon=False,
            labelcolor=TEXT,
            handlelength=1,
            columnspacing=1,
            labelspacing=0.2,
        )


def number(axes: Axes, panel: Panel, answers: Answers, _: Span) -> None:
    """The newest value, in the colour of its threshold."""
    defaults = panel["fieldConfig"]["defaults"]
    values = [one.points[-1][1] for _, series in answers for one in series]
    text, shade = ("no data", FAINT)
    if values:
        text = written(values[0], defaults["unit"], defaults.get("decimals"))
        shade = colour(values[0], defaults["thresholds"])
    axes.set_axis_off()
    axes.text(0.5, 0.42, text, transform=axes.transAxes, ha="center", va="center", fontsize=20, color=shade)


def bars(axes: Axes, panel: Panel, answers: Answers, _: Span) -> None:
    """A bar for each series' newest value."""
    defaults = panel["fieldConfig"]["defaults"]
    found = [(one.points[-1][1], named(query.legend, one.labels)) for query, series in answers for one in series]
    found = sorted(found)[-_MOST:]
    places = range(len(found))
    axes.barh(
        places, [value for value, _ in found], color=[colour(value, defaults["thresholds"]) for value, _ in found]
    )
    for place, (value, _name) in zip(places, found, strict=True):
        axes.text(value, place, f" {written(value, defaults['unit'])}", va="center", fontsize=7, color=TEXT)
    axes.set_yticks(places, [name for _, name in found])
    axes.set_xlim(defaults.get("min", 0), max([1.15 * value for value, _ in found], default=1) or 1)
    axes.set_xticks([])


def states(axes: Axes, panel: Panel, answers: Answers, span: Span) -> None:
    """A bar over time for each series, coloured by what its value stands for."""
    words = {
        float(value): result
        for one in panel["fieldConfig"]["defaults"]["mappings"]
        for value, result in one["options"].items()
    }
    found = sorted((named(query.legend, one.labels), one) for query, series in answers for one in series)
    told = set[str]()
    for place, (_, one) in enumerate(found):
        for part in _unbroken(one):
            step = min((later[0] - earlier[0] for earlier, later in pairwise(part)), default=15.0)
            for time, value in part:
                shade = COLOURS[words[value]["color"]]
                told |= {words[value].get("text", "")}
                if shade != "none":
                    axes.barh(place, step / _DAY, left=time / _DAY, height=0.7, color=shade)
    axes.set_yticks(range(len(found)), [name for name, _ in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    _over(axes, span)
    for place, result in enumerate(result for result in words.values() if result.get("text") in told - {""}):
        word, shade = f"■ {result['text']}", COLOURS[result["color"]]
        below: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(word, (0, 0), (6 + 70 * place, -26), color=shade, fontsize=7, **below)


def grid(axes: Axes, panel: Panel, answers: Answers, _: Span) -> None:
    """A table of the newest values."""
    organised = next(one["options"] for one in panel["transformations"] if one["id"] == "organize")
    columns = sorted(organised["indexByName"], key=organised["indexByName"].__getitem__)
    rows = ordered(joined([(query.ref, series) for query, series in answers]), columns)
    axes.set_axis_off()
    places = [0.005 + place / len(columns) for place in range(len(columns))]
    extent = axes.get_window_extent()
    fitting, letters = int(extent.height / _LINE), int(extent.width / len(columns) / _LETTER)
    height, most = 1 / fitting, fitting - 2
    for place, name in zip(places, columns, strict=True):
        properties = _overrides(panel, name)
        at: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 7.5, "va": "center"}
        axes.text(place, 1 - height / 2, properties["displayName"], color="#6e9fff", **at)
        for line, row in enumerate(rows[:most], start=1):
            value = row.get(name, "")
            shade = TEXT
            if isinstance(value, float):
                if "thresholds" in properties:
                    shade = colour(value, properties["thresholds"])
                value = written(value, properties.get("unit", "short"), properties.get("decimals"))
            axes.text(place, 1 - height * (line + 0.5), value[:letters], color=shade, **at)
    if len(rows) > most:
        axes.text(0.005, 0.02, f"and {len(rows) - most} more", color=FAINT, fontsize=7, transform=axes.transAxes)
    if not rows:
        axes.text(0.5, 0.4, "no data", color=FAINT, fontsize=14, ha="center", transform=axes.transAxes)


KINDS = {"timeseries": over_time, "stat": number, "bargauge": bars, "state-timeline": states, "table": grid}
"""What draws a panel of Grafana's type."""
