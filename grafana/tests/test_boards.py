"""Every panel says what it shows, and every dashboard works for any data source, namespace and model."""

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from leeway_dashboards.boards import CONDITIONAL
from leeway_dashboards.main import boards, rendered
from leeway_dashboards.queries import of_panel, panels, queries, used, variables

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "charts" / "leeway" / "files" / "dashboards"
BOARDS = {board["uid"]: board for board in boards()}
PANELS = [
    pytest.param(panel, id=f"{uid}-{panel['id']}-{panel['title']}")
    for uid, board in BOARDS.items()
    for panel in panels(board)
]


def test_the_chart_ships_what_is_generated() -> None:
    shipped = {path.name: path.read_text() for path in SHIPPED.glob("*.json")}
    assert shipped == rendered(), "generate them anew: make dashboards"


def test_alerts_may_rely_on_the_uids() -> None:
    assert set(BOARDS) == {
        "leeway-fleet", "leeway-model", "leeway-rollout", "leeway-drift", "leeway-telemetry", "leeway-slo",
    }  # fmt: skip


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"][0].isupper() or panel["title"].startswith("p99")
    assert not panel["title"].endswith(".")
    assert panel["description"][0].isupper() or panel["description"][0].isdigit()
    assert panel["description"].endswith(".")
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None


@pytest.mark.parametrize("panel", PANELS)
def test_nothing_but_the_variable_names_a_data_source(panel: dict[str, Any]) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["datasource"] == chosen
    assert [target["datasource"] for target in panel["targets"]] == [chosen] * len(panel["targets"])


@pytest.mark.parametrize("panel", PANELS)
def test_the_queries_of_a_panel_can_be_told_apart(panel: dict[str, Any]) -> None:
    asked = of_panel("", panel)
    assert asked
    assert len({query.ref for query in asked}) == len(asked)
    # A line in a legend is named by its labels; two queries of one panel need a word each besides.
    if panel["type"] == "timeseries":
        assert all(query.legend for query in asked)
        assert len({query.legend for query in asked}) == len(asked)


@pytest.mark.parametrize("uid", BOARDS)
def test_titles_and_numbers_of_panels_are_unique(uid: str) -> None:
    titles = Counter(panel["title"] for panel in panels(BOARDS[uid]))
    assert [title for title, times in titles.items() if times > 1] == []
    numbers = [panel["id"] for panel in BOARDS[uid]["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("uid", BOARDS)
def test_panels_fill_the_grid_without_lying_on_each_other(uid: str) -> None:
    places = [panel["gridPos"] for panel in BOARDS[uid]["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


@pytest.mark.parametrize("uid", BOARDS)
def test_what_can_be_chosen_is_used_and_what_is_used_can_be_chosen(uid: str) -> None:
    board = BOARDS[uid]
    offered = {one.name: one for one in variables(board)}
    asked = set().union(*(used(query.expr) for query in queries(board)))
    assert asked == set(offered)
    assert board["templating"]["list"][0]["name"] == "datasource"
    known: set[str] = set()
    for one in offered.values():
        assert used(one.selector) <= known, "a variable depends on one that stands before it"
        known.add(one.name)


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_leads_to_the_others_and_takes_its_choice_along(uid: str) -> None:
    (link,) = BOARDS[uid]["links"]
    assert link["tags"] == BOARDS[uid]["tags"] == ["leeway"]
    assert link["includeVars"]
    assert link["keepTime"]


def test_panels_that_may_be_empty_exist() -> None:
    assert set(CONDITIONAL) <= {panel["title"] for board in BOARDS.values() for panel in panels(board)}


def test_links_of_cells_lead_to_dashboards_that_exist() -> None:
    text = json.dumps(list(BOARDS.values()))
    linked = {part.split("?")[0] for part in text.split("/d/")[1:]}
    assert linked
    assert linked <= set(BOARDS)
