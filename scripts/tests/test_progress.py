"""Steps run after what they need, failures are all told, and nothing waits for ever."""

import threading

import pytest

from cluster.progress import Step, StepFailedError, run_steps, wait_until, without


def test_a_step_starts_only_after_everything_it_needs() -> None:
    order: list[str] = []
    steps = [
        Step("last", lambda step: order.append(step.name), ["first", "second"]),
        Step("second", lambda step: order.append(step.name), ["first"]),
        Step("first", lambda step: order.append(step.name)),
    ]

    run_steps(steps, parallel=3, say=lambda _: None)

    assert order == ["first", "second", "last"]


def test_independent_steps_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=10)
    steps = [Step(name, lambda _: meeting.wait()) for name in ("one", "other")]

    run_steps(steps, parallel=2, say=lambda _: None)


def test_no_more_steps_run_at_once_than_allowed() -> None:
    running: list[str] = []
    seen: list[int] = []
    lock = threading.Lock()

    def work(step: Step) -> None:
        with lock:
            running.append(step.name)
            seen.append(len(running))
        with lock:
            running.remove(step.name)

    run_steps([Step(str(number), work) for number in range(20)], parallel=2, say=lambda _: None)

    assert len(seen) == 20
    assert max(seen) <= 2


def test_every_failure_is_told_and_what_needs_a_failed_step_does_not_start() -> None:
    done: list[str] = []

    def fail(step: Step) -> None:
        raise RuntimeError(f"{step.name} broke")

    steps = [
        Step("left", fail),
        Step("right", fail),
        Step("after", lambda step: done.append(step.name), ["left"]),
        Step("beside", lambda step: done.append(step.name)),
    ]

    with pytest.raises(StepFailedError) as caught:
        run_steps(steps, parallel=2, say=lambda _: None)
    assert "left broke" in str(caught.value)
    assert "right broke" in str(caught.value)
    assert done == ["beside"]


def test_a_need_that_no_step_has_is_an_error_before_anything_starts() -> None:
    done: list[str] = []
    steps = [Step("one", lambda step: done.append(step.name)), Step("two", lambda _: None, ["tow"])]

    with pytest.raises(ValueError, match="'two' needs \\['tow'\\]"):
        run_steps(steps, parallel=1, say=lambda _: None)
    assert done == []


def test_what_runs_shows_its_end_and_its_name() -> None:
    lines: list[str] = []

    run_steps([Step("kubernetes", lambda _: None)], parallel=1, say=lines.append)

    assert len(lines) == 1
    assert "done    kubernetes (0 s)" in lines[0]


def test_waiting_ends_with_what_was_waited_for() -> None:
    step = Step("node", lambda _: None)

    with pytest.raises(TimeoutError, match="the API server: not within 0 s"):
        wait_until(lambda: False, seconds=0, what="the API server", step=step)
    assert step.waiting_for == "the API server"


def test_what_waits_for_a_step_directly_or_through_others_cannot_be_done_without_it() -> None:
    needs = {"load": ["image", "node"], "show": ["install"], "install": ["load"], "image": [], "node": []}
    steps = [Step(name, lambda _: None, needed) for name, needed in needs.items()]

    assert [step.name for step in without(steps, "node")] == ["image"]
