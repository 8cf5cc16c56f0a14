"""Which metrics and labels an expression stands on."""

import pytest

from leeway_operators.verify.core.promql import ExpressionError, Matcher, read


def needs(expression: str, *wanted: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in read(expression, frozenset(wanted)).reads:
        found.setdefault(one.metric, set()).update(one.labels)
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('rate(x{a="1",b=~"2|3",c!="4",d!~"5"}[5m])', {"x": {"a", "b", "c", "d"}}),
        ('x{without=""}', {"x": set()}),
        ("sum by (a, b) (rate(x[5m])) > 0.1", {"x": {"a", "b"}}),
        ("sum without (a) (x)", {"x": set()}),
        ("topk by (a) (3, sum by (a, b) (x))", {"x": {"a", "b"}}),
        ("sum by (a) (x) / on (a) sum by (a) (y)", {"x": {"a"}, "y": {"a"}}),
        ("x * on (a) group_left (team) y", {"x": {"a"}, "y": {"a", "team"}}),
        ("x * on (a) group_right (team) y", {"x": {"a", "team"}, "y": {"a"}}),
        ("x unless on (a) y", {"x": {"a"}, "y": {"a"}}),
        ("sum by (a) (x or y)", {"x": {"a"}, "y": {"a"}}),
        ("sum by (a) (x and on () y)", {"x": {"a"}, "y": set()}),
        ("histogram_quantile(0.99, sum by (le, a) (rate(x_bucket[5m])))", {"x_bucket": {"le", "a"}}),
        ("histogram_quantile(0.99, rate(x_bucket[5m]))", {"x_bucket": {"le"}}),
        ('sum by (short) (label_replace(x, "short", "$1", "long", "(.*)-.*"))', {"x": {"long"}}),
        ('sum by (v) (count_values("v", x))', {"x": set()}),
        ("max_over_time((sum by (a) (x) > 1)[1h:1m])", {"x": {"a"}}),
        ("time() - x > scalar(y)", {"x": set(), "y": set()}),
        ('{__name__=~"x|y",a="1"}[4m]', {"x": {"a"}, "y": {"a"}}),
        ('{__name__=~"x_.+"}', {"x_.+": set()}),
    ],
)
def test_each_metric_has_the_labels_that_it_is_chosen_grouped_and_joined_by(
    expression: str, expected: dict[str, set[str]]
) -> None:
    assert needs(expression) == expected


def test_a_label_that_is_looked_for_in_the_result_is_needed_where_it_comes_from() -> None:
    assert needs("x * on (a) group_left (team) y", "a", "b", "team") == {"x": {"a", "b"}, "y": {"a", "team"}}


@pytest.mark.parametrize(
    ("expression", "wanted", "lost"),
    [
        ("sum by (a) (x)", {"a", "pod"}, {"pod"}),
        ("sum without (a) (x)", {"a", "pod"}, {"a"}),
        ("sum by (a, b) (x) / on (a) sum by (a) (y)", {"a", "b"}, {"b"}),
        ("sum by (a, b) (x) / on (a) group_left () sum by (a) (y)", {"a", "b"}, set()),
        ("sum by (a) (x) or sum by (b) (y)", {"a", "b"}, set()),
        ("sum by (a) (x) unless on (a) y", {"a", "b"}, {"b"}),
        ('absent(x{a="1",b=~"2"})', {"a", "b"}, {"b"}),
        ("vector(1)", {"a"}, {"a"}),
        ("1 - sum by (a) (x)", {"a", "b"}, {"b"}),
        ("sum(x) * sum by (a) (y)", {"a"}, {"a"}),
    ],
)
def test_a_label_that_the_expression_drops_is_lost(expression: str, wanted: set[str], lost: set[str]) -> None:
    assert read(expression, frozenset(wanted)).lost == lost


def test_of_two_ways_to_one_metric_the_labels_of_one_are_enough() -> None:
    reads = read('max by (name) (x{namespace="a"} or x{exported_namespace="a"})').reads
    assert {(one.labels, one.either) for one in reads} == {
        (frozenset({"name"}), frozenset({"namespace", "exported_namespace"}))
    }
    assert all(not one.either for one in read('x{a="1"} or y{b="1"} or x{a="2"}').reads)


@pytest.mark.parametrize(
    ("expression", "filters"),
    [
        ("sum(x) / (sum(y) > 0)", True),
        ("x unless y", True),
        ("x and on () y", True),
        ("sum(x) / sum(y)", False),
        ("x > bool 0", False),
        ("x or y", False),
    ],
)
def test_whether_an_expression_may_leave_nothing_is_known(expression: str, *, filters: bool) -> None:
    assert read(expression).filters is filters


def test_matchers_are_written_as_prometheus_reads_them() -> None:
    (one,) = read(r'x{a=~"\\.b\"c"}').reads
    assert one.matchers == (Matcher("a", "=~", r'\.b"c'),)
    assert str(one.matchers[0]) == r'a=~"\\.b\"c"'
    assert read(f"x{{{one.matchers[0]}}}").reads == (one,)


def test_an_expression_that_prometheus_would_refuse_is_named() -> None:
    with pytest.raises(ExpressionError, match=r"sum by \(a x"):
        read("sum by (a x")
