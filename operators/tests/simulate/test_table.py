"""The page is written from what was measured, and only between its marks."""

import numpy as np
import pytest

from leeway_operators.simulate.bars import Bar, Measured, wrongly
from leeway_operators.simulate.rivalry import RULES, compete, contests
from leeway_operators.simulate.table import bars_table, replaced, rivals_table


def bar(*, least: bool = False) -> Bar:
    return Bar(
        row=1,
        what="rolled back",
        must=0.05,
        unit="share",
        least=least,
        figure=wrongly,
    )


def test_a_share_is_judged_by_its_bound_and_not_by_its_value() -> None:
    table = bars_table([(bar(), Measured(value=0.04, bound=0.06, rollouts=200))])
    assert table.splitlines()[-1] == "| 1 | rolled back | ≤ 0.050 | 0.040 | 0.060 | 200 | **missed** |"
    assert bar(least=True).holds(Measured(value=0.06, bound=0.055, rollouts=200))
    assert not bar(least=True).holds(Measured(value=0.06, bound=0.045, rollouts=200))


def test_only_what_is_between_the_marks_is_written_anew() -> None:
    page = "before\n<!-- bars: begin -->\nold\n<!-- bars: end -->\nafter\n"
    assert replaced(page, "bars", "new") == "before\n<!-- bars: begin -->\nnew\n<!-- bars: end -->\nafter\n"
    with pytest.raises(ValueError, match="no marks around 'rivals'"):
        replaced(page, "rivals", "new")


def test_every_rule_sees_every_contest() -> None:
    contest = next(contest for contest in contests() if "6 % instead of 1 % errors, 100/s" in contest.what)
    scores = compete(contest, 40, np.random.default_rng(1))
    assert len(scores) == len(RULES)
    assert all(score.rolled_back == 1.0 for score in scores)
    assert rivals_table([(contest, scores)]).splitlines()[-1].count("1.000") == len(RULES)
