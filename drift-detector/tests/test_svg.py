import math
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from leeway_drift.report.svg import HEIGHT, WIDTH, Bars, category_bars, histogram, lines, shares

# What XML cannot carry at all (control characters) HTML parsers drop; the pages' browser test covers those.
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="￾￿"), max_size=40)
ratios = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 20)


def parsed(chart: str) -> ET.Element:
    """The chart as a browser would read it; what is not well-formed fails here."""
    return ET.fromstring(chart)  # noqa: S314 - written by our own code a moment ago


@given(st.lists(st.tuples(texts, st.integers(0, 1000), st.integers(0, 1000)), max_size=8), texts)
def test_any_name_is_text_and_never_markup(columns: Sequence[tuple[str, int, int]], title: str):
    labels = [name for name, _, _ in columns]
    series = [
        Bars("training", "reference", shares([before for _, before, _ in columns])),
        Bars("now", "now", shares([after for _, _, after in columns])),
    ]

    for chart in (histogram(title, labels, series), category_bars(title, labels, series)):
        drawn = parsed(chart)
        assert {element.tag for element in drawn.iter()} <= {"svg", "rect", "text", "title", "line"}
        assert drawn.attrib["aria-label"].startswith(title)


@given(st.lists(ratios, max_size=20))
def test_a_line_stays_on_its_canvas_and_breaks_where_a_window_was_insufficient(values: Sequence[float | None]):
    drawn = parsed(lines("slow", [f"w{index}" for index in range(len(values))], values))

    points = drawn.findall("circle")
    known = [value for value in values if value is not None and math.isfinite(value)]
    assert len(points) == len(known)
    assert all(0 <= float(point.attrib["cx"]) <= WIDTH for point in points)
    assert all(0 <= float(point.attrib["cy"]) <= HEIGHT for point in points)


def test_an_insufficient_window_is_a_gap_and_not_a_zero():
    drawn = parsed(lines("slow", ["1", "2", "3", "4"], [0.5, None, 0.5, 0.6]))

    assert drawn.find("path").attrib["d"].count("M") == 2


def test_the_largest_ratio_there_is_stays_on_the_canvas():
    drawn = parsed(lines("slow", ["1", "2"], [sys.float_info.max, 1.0]))

    assert [float(point.attrib["cy"]) <= HEIGHT for point in drawn.findall("circle")] == [True, True]


def test_an_alarm_is_marked():
    drawn = parsed(lines("slow", ["1", "2"], [0.5, 1.5], alarms=[False, True]))

    assert [point.attrib["class"] for point in drawn.findall("circle")] == ["point", "alarm"]
    assert drawn.findall("circle")[1].find("title").text == "2: 1.50, alarm"


def test_bars_are_as_high_as_their_shares():
    drawn = parsed(histogram("temp", ["low", "high"], [Bars("now", "now", shares([1, 3]))]))

    low, high = (float(bar.attrib["height"]) for bar in drawn.findall("rect"))
    assert math.isclose(high, 3 * low, rel_tol=0.01)
    assert "now, high: 75.0%" in [bar.find("title").text for bar in drawn.findall("rect")]


def test_no_rows_are_no_share_of_anything():
    assert shares([0, 0]) == [0.0, 0.0]
