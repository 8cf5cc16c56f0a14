"""What an expression reads: metrics, and the labels that it selects, groups, joins and tells by."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import promql_parser as promql

# They choose among series and leave their labels as they are.
_CHOOSING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_SETS = frozenset({"and", "or", "unless"})
_FILTERS = frozenset({"and", "unless", "==", "!=", ">", "<", ">=", "<="})
_ABSENT = frozenset({"absent", "absent_over_time"})
# Their kind has no hash.
_OPERATORS = {
    f"MatchOp.{name}": sign for name, sign in (("Equal", "="), ("NotEqual", "!="), ("Re", "=~"), ("NotRe", "!~"))
}
_NAME = "__name__"
_PLAIN_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NONE: frozenset[str] = frozenset()


class ExpressionError(ValueError):
    """It is no PromQL; the text says where."""


@dataclass(frozen=True)
class Matcher:
    """One condition of a selector, as it is written."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        quoted = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{self.operator}"{quoted}"'


@dataclass(frozen=True)
class Read:
    """One metric that an expression reads.

    Attributes:
        metric: its name; a regular expression if the expression asks for one that is more than a list of names.
        matchers: that its series are chosen by.
        labels: that the expression needs of its series, those of the matchers among them.
        either: labels of which one is enough, since both sides of an `or` read the metric, each by its own.
    """

    metric: str
    matchers: tuple[Matcher, ...]
    labels: frozenset[str]
    either: frozenset[str] = _NONE


@dataclass(frozen=True)
class Reading:
    """What an expression reads.

    Attributes:
        reads: the metrics, in the order of the expression.
        lost: labels that are wanted of the result and that no part of the expression lets through.
        filters: whether a comparison, `and` or `unless` may leave nothing of what was read.
    """

    reads: tuple[Read, ...]
    lost: frozenset[str] = _NONE
    filters: bool = False


def read(expression: str, wanted: frozenset[str] = _NONE) -> Reading:
    """What an expression reads, if `wanted` labels are looked for in its result.

    Raises:
        ExpressionError: Prometheus would refuse it.
    """
    try:
        tree = promql.parse(expression)
    except ValueError as error:
        raise ExpressionError(f"{error}: {' '.join(expression.split())[:200]}") from error
    found: list[Read] = []
    lost = _walk(tree, wanted, found)
    return Reading(tuple(found), lost, _filters(tree))


def _filters(tree: promql.Expr) -> bool:
    found = False

    def look(node: promql.Expr) -> None:
        nonlocal found
        if isinstance(node, promql.BinaryExpr) and str(node.op) in _FILTERS:
            found = found or not (node.modifier and node.modifier.return_bool)

    promql.walk(tree, look)
    return found


def _walk(tree: promql.Expr, wanted: frozenset[str], found: list[Read]) -> frozenset[str]:
    """Add what `tree` reads to `found`; the labels of `wanted` that its result cannot have."""
    lost = wanted  # a number or a string has no labels
    match tree:
        case promql.VectorSelector():
            found.extend(_selected(tree, wanted))
            lost = _NONE
        case promql.MatrixSelector():
            lost = _walk(tree.vector_selector, wanted, found)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            lost = _walk(tree.expr, wanted, found)
        case promql.AggregateExpr():
            lost = _aggregated(tree, wanted, found)
        case promql.BinaryExpr():
            lost = _joined(tree, wanted, found)
        case promql.Call():
            lost = _called(tree, wanted, found)
    return lost


def _selected(selector: promql.VectorSelector, wanted: frozenset[str]) -> Iterator[Read]:
    alternatives = [matcher for group in selector.matchers.or_matchers for matcher in group]
    written = [Matcher(m.name, _OPERATORS[str(m.op)], m.value) for m in (*selector.matchers.matchers, *alternatives)]
    names = [selector.name] if selector.name else []
    for matcher in written:
        if matcher.label == _NAME and matcher.operator in ("=", "=~"):
            names += _names(matcher.value)
    matchers = tuple(matcher for matcher in written if matcher.label != _NAME)
    # `label=""` asks for series without the label.
    labels = wanted | {matcher.label for matcher in matchers if (matcher.operator, matcher.value) != ("=", "")}
    # Of alternatives, none has to hold.
    chosen = () if alternatives else matchers
    for name in names or [".+"]:
        yield Read(name, chosen, labels)


def _names(pattern: str) -> list[str]:
    """A list of names (`a|b`) one by one; anything else as it is."""
    names = pattern.split("|")
    return names if all(_PLAIN_NAME.fullmatch(name) for name in names) else [pattern]


def _aggregated(tree: promql.AggregateExpr, wanted: frozenset[str], found: list[Read]) -> frozenset[str]:
    operator = str(tree.op)
    modifier = tree.modifier
    named = frozenset(modifier.labels) if modifier else _NONE
    if operator in _CHOOSING:
        return _walk(tree.expr, wanted | named, found)
    if operator == "count_values":
        wanted -= {tree.param.val} if isinstance(tree.param, promql.StringLiteral) else _NONE
    if modifier and modifier.type == promql.AggModifierType.Without:
        return (wanted & named) | _walk(tree.expr, wanted - named, found)
    return (wanted - named) | (_walk(tree.expr, named, found) & wanted)


def _called(tree: promql.Call, wanted: frozenset[str], found: list[Read]) -> frozenset[str]:
    name, arguments = tree.func.name, tree.args
    if name in _ABSENT:
        _walk(arguments[0], _NONE, found)
        return wanted - _fixed(arguments[0])
    if name in ("scalar", "vector"):
        _walk(arguments[0], _NONE, found)
        return wanted
    if name in ("label_replace", "label_join"):
        made = arguments[1].val
        sources = arguments[3:4] if name == "label_replace" else arguments[3:]
        return _walk(arguments[0], (wanted - {made}) | {source.val for source in sources if source.val}, found)
    if name == "histogram_quantile" and _of_buckets(arguments[1]):
        return _walk(arguments[1], wanted | {"le"}, found) - {"le"}
    lost = [_walk(argument, wanted, found) for argument in arguments if not _scalar(argument)]
    for argument in arguments:
        if _scalar(argument):
            _walk(argument, _NONE, found)
    return frozenset[str]().union(*lost) if lost else wanted


def _of_buckets(tree: promql.Expr) -> bool:
    """Whether classic buckets are read: a native histogram has no `le`."""
    found: list[Read] = []
    _walk(tree, _NONE, found)
    return any(one.metric.endswith("_bucket") or ":" in one.metric for one in found)


def _fixed(tree: promql.Expr) -> frozenset[str]:
    """Labels that `absent` takes from the selector itself."""
    if isinstance(tree, promql.MatrixSelector):
        tree = tree.vector_selector
    if not isinstance(tree, promql.VectorSelector):
        return _NONE
    return frozenset(m.name for m in tree.matchers.matchers if m.op == promql.MatchOp.Equal and m.value)


def _joined(tree: promql.BinaryExpr, wanted: frozenset[str], found: list[Read]) -> frozenset[str]:
    left, right, modifier = tree.lhs, tree.rhs, tree.modifier
    if _scalar(left) or _scalar(right):
        of_left, of_right = (_NONE if _scalar(side) else wanted for side in (left, right))
        lost = _walk(left, of_left, found) | _walk(right, of_right, found)
        return wanted if _scalar(left) and _scalar(right) else lost
    matching = modifier.matching if modifier else None
    on = frozenset(matching.labels) if matching and matching.type == promql.LabelModifierType.Include else None
    ignored = frozenset(matching.labels) if matching and on is None else _NONE
    by = on or _NONE
    if str(tree.op) in _SETS:
        start = len(found)
        of_left = _walk(left, wanted | by, found)
        if str(tree.op) == "or":
            middle = len(found)
            of_right = _walk(right, wanted | by, found)
            found[start:] = _either(found[start:middle], found[middle:])
            return wanted & of_left & of_right
        _walk(right, by, found)
        return wanted & of_left
    many = modifier.card if modifier else promql.VectorMatchCardinality.OneToOne
    taken = frozenset(modifier.group_labels or ()) if modifier else _NONE
    if many == promql.VectorMatchCardinality.ManyToOne:
        return wanted & (_walk(left, (wanted - taken) | by, found) | _walk(right, by | taken, found))
    if many == promql.VectorMatchCardinality.OneToMany:
        return wanted & (_walk(left, by | taken, found) | _walk(right, (wanted - taken) | by, found))
    kept = wanted & on if on is not None else wanted - ignored
    return (wanted - kept) | (kept & (_walk(left, kept | by, found) | _walk(right, kept | by, found)))


def _either(left: list[Read], right: list[Read]) -> Iterator[Read]:
    """Both sides of an `or`: what each needs of a metric that the other reads as well, by other labels."""
    for own, others in ((left, right), (right, left)):
        for one in own:
            other = next((read.labels | read.either for read in others if read.metric == one.metric), one.labels)
            differing = (one.labels | one.either) ^ other
            both = one.labels & other
            yield replace(one, labels=both, either=differing) if one.labels - other and other - one.labels else one


def _scalar(tree: promql.Expr) -> bool:
    match tree:
        case promql.NumberLiteral() | promql.StringLiteral():
            return True
        case promql.ParenExpr() | promql.UnaryExpr():
            return _scalar(tree.expr)
        case promql.BinaryExpr():
            return _scalar(tree.lhs) and _scalar(tree.rhs)
        case promql.Call():
            return bool(tree.func.return_type == promql.ValueType.Scalar)
    return False
