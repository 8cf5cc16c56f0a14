"""The client of Alibi-Detect's worker: what it asks, and what becomes of a window when the worker fails it."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.interface import Judgement, Reference, Verdict, Window
from leeway_drift.profile import Profile, build_profile
from leeway_drift.profile.reference import build_reference, read_reference
from leeway_drift.reading.events import Stream
from leeway_drift.service.alibi import TABULAR, AlibiBackend
from leeway_drift.service.alibi_rows import Layout
from leeway_drift.statistics.max_t import Spread
from leeway_drift.streaming.backend import BackendUnavailable

STREAM = Stream("default", "flights", "1.0.0")
PATIENT = 20.0
# A worker that knows a version once it was loaded, writes down what it is asked, and judges every window within; a
# test says what it does before that.
WORKER = """
import json, os, sys, time
from leeway_drift.detectors.interface import Judgement, Reference, Verdict
from leeway_drift.service.alibi_protocol import PREFIX_BYTES, decode, encode, judgement_to_json, lengths
known = set()
within = judgement_to_json(Judgement("tabular", Reference.TRAINING, Verdict.WITHIN, 0.5, True, "temp"))
while prefix := sys.stdin.buffer.read(PREFIX_BYTES):
    sizes = lengths(prefix)
    header, arrays = decode(*(sys.stdin.buffer.read(size) for size in sizes))
    with open("asked", "a") as file:
        print(header["op"], len(arrays["numbers"]), file=file)
    with open("headers", "a") as file:
        print(json.dumps(header), file=file)
    answer = {"unknown": True}
    if header["op"] == "load":
        known.add(header["version"])
        answer = {"loaded": 1, "taught": {"reason": "it was tried"}}
    elif header["version"] in known:
        answer = {"judgements": [within]}
    BEFORE_ANSWERING
    sys.stdout.buffer.write(encode(answer))
    sys.stdout.buffer.flush()
"""


class Clock:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


Start = Callable[..., AlibiBackend]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock, tmp_path: Path) -> Iterator[Start]:
    started: list[AlibiBackend] = []

    def start(
        before_answering: str = "pass", *, judge_seconds: float = PATIENT, idle_seconds: float = 60.0
    ) -> AlibiBackend:
        program = WORKER.replace("BEFORE_ANSWERING", before_answering)
        backend = AlibiBackend(
            clock=clock,
            scratch=tmp_path,
            command=[sys.executable, "-c", program],
            judge_seconds=judge_seconds,
            load_seconds=PATIENT,
            idle_seconds=idle_seconds,
        )
        started.append(backend)
        return backend

    yield start
    for backend in started:
        backend.close()


COLUMNS = {
    "temp": np.arange(300, dtype=np.float32),
    "hour": np.arange(300, dtype=np.float32) % 24,
    "carrier": np.array(["AA", "UA", None] * 100, dtype=np.object_),
}


@pytest.fixture(scope="module")
def bundle() -> tuple[Profile, bytes]:
    document = build_profile(
        COLUMNS, categorical=["carrier"], outputs={"prediction": COLUMNS["temp"]}, context=["hour"]
    )
    packed = build_reference(COLUMNS, categorical=["carrier"], profile=document, time=None, rows=200)
    return Profile.parse(document), packed


def window(profile: Profile, sample: Rows | None = None) -> Window:
    rows = Rows.of({name: values[:7] for name, values in COLUMNS.items()}, 7) if sample is None else sample
    start, end = datetime(2013, 7, 1, tzinfo=UTC), datetime(2013, 7, 2, tzinfo=UTC)
    return Window(start, end, Counts.none(profile.plan), rows)


def asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "asked").read_text().splitlines()


def test_a_version_is_loaded_once_and_each_window_judged(
    start: Start, bundle: tuple[Profile, bytes], tmp_path: Path
) -> None:
    profile, reference = bundle
    backend = start()
    assert not backend.alive  # nobody needs it yet

    for _ in range(2):
        judgements = backend.judge(STREAM, profile, reference, window(profile))
        assert judgements == [Judgement("tabular", Reference.TRAINING, Verdict.WITHIN, 0.5, True, "temp")]

    assert asked(tmp_path) == ["judge 7", "load 200", "judge 7", "judge 7"]
    assert backend.alive


def headers(tmp_path: Path, op: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (tmp_path / "headers").read_text().splitlines()]
    return [header for header in found if header["op"] == op]


def test_tabular_is_judged_by_the_thresholds_of_the_profile(
    start: Start, bundle: tuple[Profile, bytes], tmp_path: Path
) -> None:
    profile, reference = bundle
    start().judge(STREAM, profile, reference, window(profile))

    (load,) = headers(tmp_path, "load")
    threshold = profile.threshold(TABULAR)
    assert threshold is not None
    assert [(name, statistic) for name, statistic, *_ in load["tabular"]["spreads"]] == [
        ("temp", "ks"),
        ("carrier", "tvd"),
    ]
    for name, statistic, median, above in load["tabular"]["spreads"]:
        assert Spread(median, above) == threshold.spreads[name, statistic]
    assert (load["tabular"]["limit"], load["tabular"]["calibrated"]) == (threshold.value, False)


def test_what_a_worker_was_taught_is_told_to_its_successor(
    start: Start, bundle: tuple[Profile, bytes], tmp_path: Path
) -> None:
    profile, reference = bundle
    backend = start()
    backend.judge(STREAM, profile, reference, window(profile))
    backend.close()

    backend.judge(STREAM, profile, reference, window(profile))

    assert [header["taught"] for header in headers(tmp_path, "load")] == [{}, {"reason": "it was tried"}]


@pytest.mark.parametrize(("size", "comparable"), [((1000, 60), True), ((899, 60), False), ((1000, 50), False)])
def test_a_window_that_is_smaller_than_the_thresholds_are_for_is_said_to_be(
    start: Start,
    bundle: tuple[Profile, bytes],
    tmp_path: Path,
    size: tuple[int, int],
    comparable: bool,  # noqa: FBT001 - a parameter
) -> None:
    profile, reference = bundle
    assert (profile.window_rows, profile.window_seconds) == (1000, 60.0)
    whole, (rows, seconds) = window(profile), size
    counts = replace(whole.counts, rows=rows)
    end = whole.start + timedelta(seconds=seconds)

    start().judge(STREAM, profile, reference, replace(whole, counts=counts, end=end))

    assert {(header["rows"], header["comparable"]) for header in headers(tmp_path, "judge")} == {(rows, comparable)}


def test_a_bundle_without_reference_rows_starts_nothing(start: Start, bundle: tuple[Profile, bytes]) -> None:
    backend = start()

    with pytest.raises(BackendUnavailable, match=r"the bundle has no drift-reference\.npz"):
        backend.judge(STREAM, bundle[0], None, window(bundle[0]))
    assert not backend.alive


def test_a_window_without_a_sample_is_not_judged(start: Start, bundle: tuple[Profile, bytes]) -> None:
    profile, reference = bundle
    start_of, end = datetime(2013, 7, 1, tzinfo=UTC), datetime(2013, 7, 2, tzinfo=UTC)

    with pytest.raises(BackendUnavailable, match="no sample"):
        start().judge(STREAM, profile, reference, Window(start_of, end, Counts.none(profile.plan), None))


def test_a_dead_worker_is_started_again_later_with_every_death(
    start: Start, bundle: tuple[Profile, bytes], clock: Clock
) -> None:
    profile, reference = bundle
    backend = start("os.kill(os.getpid(), 9)")

    for death, pause in enumerate([1, 2, 4]):
        with pytest.raises(BackendUnavailable, match=rf"died \(signal 9\); it is started again in {pause} s"):
            backend.judge(STREAM, profile, reference, window(profile))
        assert backend.restarts == death
        clock.now += pause / 2
        with pytest.raises(BackendUnavailable, match="has died and is not started again for"):
            backend.judge(STREAM, profile, reference, window(profile))
        clock.now += pause / 2
    assert not backend.alive


def test_a_worker_that_answers_again_is_trusted_again(
    start: Start, bundle: tuple[Profile, bytes], clock: Clock, tmp_path: Path
) -> None:
    profile, reference = bundle
    backend = start("if not os.path.exists('healed'): sys.exit(1)")
    with pytest.raises(BackendUnavailable, match=r"died \(exit code 1\)"):
        backend.judge(STREAM, profile, reference, window(profile))

    (tmp_path / "healed").touch()
    clock.now += 1
    assert backend.judge(STREAM, profile, reference, window(profile))
    assert (backend.alive, backend.restarts) == (True, 1)


def test_a_worker_that_hangs_costs_one_window(start: Start, bundle: tuple[Profile, bytes]) -> None:
    profile, reference = bundle
    backend = start("time.sleep(60)", judge_seconds=1.0)

    with pytest.raises(BackendUnavailable, match="did not answer within 1 s and was killed"):
        backend.judge(STREAM, profile, reference, window(profile))
    assert not backend.alive


@pytest.mark.parametrize(
    "answer", ["{'judgements': [{'detector': 'tabular'}]}", "{'judgements': 3}", "{}", "{'judgements': [[]]}"]
)
def test_an_answer_that_is_no_judgement_ends_the_worker(
    start: Start, bundle: tuple[Profile, bytes], answer: str
) -> None:
    profile, reference = bundle
    backend = start(f"answer = {answer}")

    with pytest.raises(BackendUnavailable, match="said what is no judgement, and was killed"):
        backend.judge(STREAM, profile, reference, window(profile))
    assert not backend.alive


def test_what_the_worker_cannot_do_is_said_and_leaves_it_alive(start: Start, bundle: tuple[Profile, bytes]) -> None:
    profile, reference = bundle
    backend = start("answer = {'error': 'ValueError: zero expected frequency'}")

    with pytest.raises(BackendUnavailable, match="the worker cannot: ValueError: zero expected frequency"):
        backend.judge(STREAM, profile, reference, window(profile))
    assert backend.alive


def test_an_idle_worker_is_stopped_and_the_next_window_starts_another(
    start: Start, bundle: tuple[Profile, bytes], tmp_path: Path
) -> None:
    profile, reference = bundle
    backend = start(idle_seconds=0.05)
    backend.judge(STREAM, profile, reference, window(profile))
    for timer in [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
        timer.join()

    assert not backend.alive
    assert backend.judge(STREAM, profile, reference, window(profile))
    assert asked(tmp_path) == ["judge 7", "load 200", "judge 7"] * 2
    assert backend.restarts == 0  # it was stopped, not lost


def test_only_monitored_features_are_sent_and_nulls_and_strangers_keep_their_codes(
    bundle: tuple[Profile, bytes],
) -> None:
    profile, reference = bundle
    layout = Layout.of(profile, read_reference(reference, profile))
    served = Rows.of({"carrier": np.array(["UA", None, "ZZ", "AA"], dtype=np.object_)}, 4)  # temp is not served at all

    arrays = layout.of_window(served)

    assert layout.features == [("temp", None), ("carrier", 2)]
    assert arrays["codes"].tolist() == [[1], [-1], [2], [0]]
    assert np.isnan(arrays["numbers"]).all()
    assert arrays["numbers"].shape == (4, 1)
