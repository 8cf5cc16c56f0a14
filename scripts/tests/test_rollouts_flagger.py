"""Flagger's rule on recorded counters."""

from rollouts.flagger import Judgement, Series, judge


def _counter(rate: float, *, failed: bool, seconds: int = 900, scrape: int = 10, begin: float = 0.0) -> Series:
    return Series(failed, [(second, max(0.0, (second - begin)) * rate) for second in range(0, seconds + 1, scrape)])


def test_a_version_without_errors_is_promoted_after_five_checks() -> None:
    record = [_counter(5, failed=False), _counter(0, failed=True)]

    assert judge(record, start=0, end=900) == Judgement("Promoted", 180, 0, 5)


def test_five_percent_of_errors_are_rolled_back_after_five_failed_checks() -> None:
    record = [_counter(4.75, failed=False), _counter(0.25, failed=True)]

    assert judge(record, start=0, end=900) == Judgement("RolledBack", 180, 5, 5)


def test_failed_checks_add_up_over_checks_that_hold() -> None:
    # Errors only between 100 s and 140 s: the checks at 120, 150 and 180 s see them, none of the others.
    errors = Series(True, [(second, 0.4 * min(max(second - 100, 0), 40)) for second in range(0, 900, 10)])
    judged = judge([_counter(5, failed=False), errors], start=0, end=900)

    assert (judged.verdict, judged.failed, judged.checks) == ("Promoted", 3, 8)


def test_no_traffic_is_a_failed_check() -> None:
    assert judge([_counter(0, failed=False)], start=0, end=900) == Judgement("RolledBack", 180, 5, 5)
    assert judge([], start=0, end=900).verdict == "RolledBack"


def test_a_record_that_ends_before_the_verdict_leaves_it_open() -> None:
    assert judge([_counter(5, failed=False)], start=0, end=100) == Judgement("Undecided", 100, 0, 2)


def test_only_5xx_count_and_exactly_99_percent_is_enough() -> None:
    record = [_counter(99, failed=False), _counter(1, failed=True)]

    assert judge(record, start=0, end=900).verdict == "Promoted"


def test_a_restarted_server_counts_from_nothing() -> None:
    values = [5.0 * second for second in range(0, 100, 10)] + [5.0 * second for second in range(0, 300, 10)]
    good = Series(False, [(10.0 * number, value) for number, value in enumerate(values)])

    assert judge([good, _counter(0, failed=True)], start=0, end=390).verdict == "Promoted"


def test_a_version_that_never_had_traffic_is_not_judged() -> None:
    assert judge([], start=float("nan"), end=900).verdict == "Undecided"
