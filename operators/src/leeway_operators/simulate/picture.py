"""The same as a picture: shares of the rollouts over time, as SVG."""

from html import escape

from leeway_operators.simulate.report import Curve, duration_text, percent

_WIDTH, _HEIGHT = 760, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 150, 44, 44
_FONT = 'font-family="sans-serif" font-size="12"'
_COLOURS = {"promoted": "#2e7d32", "not decided": "#cfd8dc", "rolled back": "#c62828"}


def svg(points: tuple[Curve, ...], title: str) -> str:
    """Three areas fill the frame: promoted from below, rolled back from above, between them what is not decided."""
    end = points[-1].seconds
    path = [Curve(seconds=0.0, promoted=0.0, rolled_back=0.0), *points]
    below = [(_x(point.seconds, end), _y(point.promoted)) for point in path]
    above = [(_x(point.seconds, end), _y(1.0 - point.rolled_back)) for point in path]
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="14">{escape(title)}</text>',
        _area([(_LEFT, _TOP), (right, _TOP), (right, bottom), (_LEFT, bottom)], "not decided"),
        _area([*below, (right, bottom), (_LEFT, bottom)], "promoted"),
        _area([*above, (right, _TOP), (_LEFT, _TOP)], "rolled back"),
    ]
    for quarter in range(5):
        share = quarter / 4
        parts.append(f'<text x="{_LEFT - 8}" y="{_y(share) + 4:.1f}" text-anchor="end">{percent(share)}</text>')
        time = end * share
        label = duration_text(time)
        parts.append(f'<text x="{_x(time, end):.1f}" y="{bottom + 20}" text-anchor="middle">{label}</text>')
    for row, (name, colour) in enumerate(_COLOURS.items()):
        y = _TOP + 24 * row
        parts.append(f'<rect x="{right + 16}" y="{y}" width="14" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{right + 36}" y="{y + 12}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _x(seconds: float, end: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / end


def _y(share: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


def _area(corners: list[tuple[float, float]], name: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon points="{path}" fill="{_COLOURS[name]}" fill-opacity="0.8"/>'
