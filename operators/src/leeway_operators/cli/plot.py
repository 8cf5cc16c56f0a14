"""Findings as a table, and each interval drawn against its margin: at most 80 columns."""

from collections.abc import Iterator, Sequence

from leeway_operators.core.figures import count, difference, figure
from leeway_operators.evidence.findings import Finding

# Each gate is drawn in units of its own margin, so that one axis serves all: harm that is accepted ends at 1.
_FROM, _TO, _CELLS = -2.0, 3.0, 51
_NAME = 13
_LAST = _CELLS - 1


def gates(findings: Sequence[Finding]) -> Iterator[str]:
    """Lines: verdicts with their numbers."""
    header = ("GATE", "VERDICT", "CANDIDATE", "STABLE", "DIFFERENCE")
    rows = [header, *map(_row, findings)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(finding: Finding) -> tuple[str, ...]:
    sides = (finding.candidate, finding.stable)
    return (
        finding.gate,
        finding.verdict,
        *(f"{figure(finding.gate, side.mean)} of {count(side.n)}" for side in sides),
        difference(finding.gate, finding.estimate),
    )


def intervals(findings: Sequence[Finding]) -> Iterator[str]:
    """Lines: the intervals of the differences, candidate minus stable; none where there is nothing to draw."""
    drawn = [item for item in findings if None not in (item.lower, item.upper) and item.margin]
    if not drawn:
        return
    marks = [" "] * (_CELLS + 2)
    for value, text in ((_FROM, "better"), (0.0, "equal"), (1.0, "margin"), (_TO, "worse")):
        at = min(max(_column(value) - len(text) // 2, 0), len(marks) - len(text))
        marks[at : at + len(text)] = text
    yield (" " * _NAME + "".join(marks)).rstrip()
    for finding in drawn:
        # The margin's own sign says nothing.
        yield f"{finding.gate:<{_NAME}}{_line(finding)}  {difference(finding.gate, finding.margin)[1:]}"


def _line(finding: Finding) -> str:
    margin = finding.margin or 1.0
    lower, upper = (_column((value or 0.0) / margin) for value in (finding.lower, finding.upper))
    cells = ["·"] * _CELLS
    cells[_column(0.0)] = "│"
    cells[_column(1.0)] = "┊"
    for column in range(max(lower, 0), min(upper, _LAST) + 1):
        cells[column] = "─"
    # An end that lies beyond the picture is an arrow.
    _put(cells, lower, "├", "◀")
    _put(cells, upper, "┤", "▶")
    if finding.estimate is not None:
        _put(cells, _column(finding.estimate / margin), "●", None)
    return "".join(cells)


def _put(cells: list[str], column: int, mark: str, beyond: str | None) -> None:
    if 0 <= column <= _LAST:
        cells[column] = mark
    elif beyond is not None:
        cells[0 if column < 0 else _LAST] = beyond


def _column(value: float) -> int:
    return round(min(max((value - _FROM) / (_TO - _FROM), -1.0), 2.0) * _LAST)
