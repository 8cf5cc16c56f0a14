"""What `make transcript` writes into a page."""

import pytest

from rollouts.transcript import BEGIN, END, news, told, written

PAGE = f"# Leeway\n\n{BEGIN}\nthe last run\n{END}\n\nThe rest.\n"


def test_a_run_takes_the_place_of_the_last_one_and_of_nothing_else() -> None:
    assert written(PAGE, "this run") == PAGE.replace("the last run", "this run")


@pytest.mark.parametrize("page", ["no marker", f"{END} {BEGIN}", f"{BEGIN} only", PAGE + PAGE, PAGE + BEGIN])
def test_a_page_without_one_clear_place_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="each once in the page"):
        written(page, "this run")


def test_commands_and_what_they_printed_read_as_in_a_terminal() -> None:
    assert told(("kubectl get mro", "NAME   \nflights\n"), ("kubectl leeway why", "\nrolled back\n\nbecause\n")) == (
        "```\n$ kubectl get mro\nNAME\nflights\n$ kubectl leeway why\nrolled back\n\nbecause\n```"
    )


def test_rows_in_which_only_time_went_by_are_left_out() -> None:
    rows = ["NAME     PHASE    AGE", "flights  Canary   59s", "flights  Canary   60s", "flights  Stable   61s"]

    assert news("\n".join(rows)).splitlines() == [rows[0], rows[1], rows[3]]
    assert news("\n".join([*rows, rows[1]])).splitlines() == [rows[0], rows[1], rows[3], rows[1]]
