"""Charts as inline SVG, without scripts and without inline styles, so that a strict content security policy holds.

Every text is escaped here: names of features and categories come from whoever sends requests. Colours are classes of
the stylesheet, so that light and dark follow the reader's setting. Each chart has a title and a description for
screen readers, and each mark a tooltip with its figures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

WIDTH = 360
HEIGHT = 120
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 6, 8, 18
_ROW = 18
_LABEL = 120
_LABEL_CHARACTERS = 18
_HEADROOM = 1.25


@dataclass(frozen=True)
class Bars:
    """One series of shares.

    Attributes:
        name: for the tooltip.
        style: class of the stylesheet: ``reference`` or ``now``.
        shares: 0 to 1, one per bin or category.
    """

    name: str
    style: str
    shares: Sequence[float]


def shares(counts: Sequence[int]) -> list[float]:
    """Counts as shares of their sum; all 0 if there are none."""
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def histogram(title: str, labels: Sequence[str], series: Sequence[Bars]) -> Markup:
    """Bars over ordered bins, the series side by side in each bin.

    Args:
        title: what is shown, read out by screen readers.
        labels: one per bin; the first and last are printed, all are tooltips.
        series: each with one share per bin.
    """
    top = max((share for bars in series for share in bars.shares), default=0.0) or 1.0
    slot = (WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    width = slot * 0.9 / max(len(series), 1)
    floor = HEIGHT - _BOTTOM
    marks = []
    for place, bars in enumerate(series):
        for index, share in enumerate(bars.shares):
            height = (floor - _TOP) * share / top
            tip = f"{bars.name}, {labels[index]}: {share:.1%}"
            left = _LEFT + index * slot + place * width
            marks.append(_bar(bars.style, x=left, y=floor - height, width=width, height=height, tip=tip))
    axis = [_text(_LEFT - 4, _TOP + 6, f"{top:.0%}", "end"), _text(_LEFT - 4, floor, "0", "end")]
    if labels:
        axis += [_text(_LEFT, HEIGHT - 4, labels[0], "start"), _text(WIDTH - _RIGHT, HEIGHT - 4, labels[-1], "end")]
    return _svg(title, _described(labels, series), HEIGHT, [*marks, *axis, _line("axis", _LEFT, floor, WIDTH, floor)])


def category_bars(title: str, labels: Sequence[str], series: Sequence[Bars]) -> Markup:
    """Horizontal bars, one row per category with its name before it, the series below each other in a row."""
    top = max((share for bars in series for share in bars.shares), default=0.0) or 1.0
    scale = (WIDTH - _LABEL - 44) / top
    thick = (_ROW - 4) / max(len(series), 1)
    marks = []
    for index, label in enumerate(labels):
        y = index * _ROW + 2
        marks.append(_text(_LABEL - 6, y + _ROW - 7, _shortened(label), "end", tip=label))
        for place, bars in enumerate(series):
            share = bars.shares[index]
            tip = f"{bars.name}, {label}: {share:.1%}"
            marks.append(_bar(bars.style, x=_LABEL, y=y + place * thick, width=share * scale, height=thick, tip=tip))
        if series:
            last = series[-1].shares[index]
            longest = max(bars.shares[index] for bars in series)
            marks.append(_text(_LABEL + longest * scale + 4, y + _ROW - 7, f"{last:.1%}", "start"))
    return _svg(title, _described(labels, series), max(len(labels) * _ROW + 4, _ROW), marks)


def lines(title: str, times: Sequence[str], ratios: Sequence[float | None], *, alarms: Sequence[bool] = ()) -> Markup:
    """Score ratios over time against their threshold, which is 1; a gap is a window that was insufficient.

    Args:
        title: what is shown.
        times: one per window; the first and last are printed, all are tooltips.
        ratios: score over threshold, None where there is none.
        alarms: which windows were within an alarm; none by default.
    """
    known = [ratio for ratio in ratios if _is_known(ratio)]
    top = max([_HEADROOM, *[ratio for ratio in known if ratio is not None]]) * 1.05
    floor = HEIGHT - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(len(ratios) - 1, 1)

    def height_of(ratio: float) -> float:
        return floor - (floor - _TOP) * (max(ratio, 0.0) / top)  # divided first: a huge ratio must not overflow

    marks = [
        _line("axis", _LEFT, floor, WIDTH - _RIGHT, floor),
        _line("threshold", _LEFT, height_of(1.0), WIDTH - _RIGHT, height_of(1.0)),
        _text(_LEFT - 4, height_of(1.0) + 3, "1", "end"),
        _text(_LEFT - 4, floor, "0", "end"),
    ]
    path, pen_down = [], False
    points = []
    for index, ratio in enumerate(ratios):
        if ratio is None or not _is_known(ratio):
            pen_down = False
            continue
        x, y = _LEFT + index * step, height_of(ratio)
        path.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = True
        over = index < len(alarms) and alarms[index]
        tip = f"{times[index]}: {ratio:.2f}{', alarm' if over else ''}"
        points.append(
            f'<circle class="{"alarm" if over else "point"}" cx="{x:.1f}" cy="{y:.1f}" r="{3 if over else 2}">'
            f"<title>{escape(tip)}</title></circle>"
        )
    if path:
        marks.append(f'<path class="curve" d="{" ".join(path)}"/>')
    if times:
        marks += [_text(_LEFT, HEIGHT - 4, times[0], "start"), _text(WIDTH - _RIGHT, HEIGHT - 4, times[-1], "end")]
    numbers = [ratio for ratio in known if ratio is not None]
    said = f"{len(numbers)} of {len(ratios)} windows have a ratio"
    if numbers:
        said += f", the largest {max(numbers):.2f}; {sum(ratio >= 1 for ratio in numbers)} at or over the threshold"
    return _svg(title, said + ".", HEIGHT, [*marks, *points])


def _is_known(ratio: float | None) -> bool:
    return ratio is not None and math.isfinite(ratio)


def _described(labels: Sequence[str], series: Sequence[Bars]) -> str:
    if not labels:
        return "Nothing to show."
    parts = []
    for bars in series:
        largest = max(range(len(labels)), key=bars.shares.__getitem__)
        parts.append(f"{bars.name}: most in {labels[largest]} ({bars.shares[largest]:.1%})")
    return "; ".join(parts) + "."


def _svg(title: str, description: str, height: float, marks: Sequence[str]) -> Markup:
    return Markup(  # noqa: S704 - every text in it went through escape
        f'<svg role="img" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}"'
        f' aria-label="{escape(title)}. {escape(description)}">{"".join(marks)}</svg>'
    )


def _bar(style: str, *, x: float, y: float, width: float, height: float, tip: str) -> str:
    return (
        f'<rect class="{escape(style)}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.2f}" '
        f'height="{max(height, 0):.2f}"><title>{escape(tip)}</title></rect>'
    )


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, *, tip: str | None = None) -> str:
    title = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{title}{escape(text)}</text>'


def _shortened(label: str) -> str:
    return label if len(label) <= _LABEL_CHARACTERS else label[: _LABEL_CHARACTERS - 1] + "…"
