"""Which pairs of features are watched together, and how coarsely."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from leeway_drift.columns import Rows
from leeway_drift.counting.bins import NULL, Codes
from leeway_drift.counting.columns import code_column
from leeway_drift.counting.counts import ColumnPlan, Integers, Plan, RelationPlan, count_relation
from leeway_drift.profile.describe import rounded
from leeway_drift.statistics.association import mutual_information

MAX_RELATIONS = 24
"""Pairs that are watched."""

_NUMERIC_GROUPS = 8
_LISTED_CATEGORIES = 15
_RANKED_ROWS = (
    20_000  # pairs are chosen on evenly spaced rows: the ranking needs no more, and 100 features are 4950 pairs
)
_LEAST_INFORMATION = 0.005  # nats; below it a pair tells nothing about either column


def choose_relations(plan: Plan, rows: Rows, context: frozenset[str]) -> dict[str, RelationPlan]:
    """The pairs with the most mutual information; every feature keeps its best partner, if it has any.

    Context features are in none: what hangs on the hour or an id is expected to move with it.

    Args:
        plan: of the features.
        rows: the reference.
        context: features that are not monitored by themselves.
    """
    step = max(1, rows.count // _RANKED_ROWS)
    codes: dict[str, Codes] = {}
    groups: dict[str, Integers] = {}
    for name, column in plan.features.items():
        coded = code_column(column, name, rows)
        if coded is not None and name not in context and np.any(coded != NULL):
            codes[name], groups[name] = coded[::step], group_bins(column, coded)
    ranked: list[tuple[float, str, RelationPlan]] = []
    for left, right in combinations(codes, 2):
        relation = RelationPlan(left, right, groups[left], groups[right])
        # Rounded, so that pairs that tell as much are ordered by name on every processor.
        information = rounded(mutual_information(count_relation(relation, codes[left], codes[right])))
        if information >= _LEAST_INFORMATION:
            ranked.append((information, f"{left}~{right}", relation))
    ranked.sort(key=lambda item: (-item[0], item[1]))
    chosen = _best_partners(ranked) + ranked
    return dict(sorted({name: relation for _, name, relation in chosen[:MAX_RELATIONS]}.items()))


def group_bins(plan: ColumnPlan, codes: Codes) -> Integers:
    """Group the bins of a column ``[plan.size]``: about equal masses of a number, each frequent category by itself.

    The bins beyond the reference's ends belong to the groups at the ends, categories that are not listed to the last.
    """
    counts = np.bincount(codes[codes != NULL], minlength=plan.size)
    if plan.edges is None:
        groups = np.zeros(plan.size, dtype=np.int64)
        frequent = sorted(sorted(range(plan.size - 1), key=lambda index: (-counts[index], index))[:_LISTED_CATEGORIES])
        groups[:] = len(frequent)
        groups[frequent] = np.arange(len(frequent))
        return groups
    before = np.cumsum(counts) - counts
    middles = 2 * before + counts  # integers, so that no rounding decides
    wanted = middles * _NUMERIC_GROUPS // max(1, 2 * int(counts.sum()))
    _, groups = np.unique(np.minimum(wanted, _NUMERIC_GROUPS - 1), return_inverse=True)
    return groups.astype(np.int64, copy=False)


def _best_partners(ranked: Sequence[tuple[float, str, RelationPlan]]) -> list[tuple[float, str, RelationPlan]]:
    served: set[str] = set()
    best = []
    for item in ranked:
        pair = {item[2].left, item[2].right}
        if not pair <= served:
            best.append(item)
            served |= pair
    return best
