"""The detector's client and the real worker: from a window's rows to judgements, through a process."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import profile_and_reference, rows, window

from leeway_drift.detectors.interface import Verdict
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.alibi import DETECTORS, AlibiBackend
from leeway_drift.streaming.backend import BackendUnavailable

WORKER = (str(Path(sys.executable).with_name("leeway-alibi")),)
STREAM = Stream("default", "flights", "1.0.0")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker")


@pytest.fixture(scope="module")
def backend(scratch: Path) -> Iterator[AlibiBackend]:
    backend = AlibiBackend(clock=time.monotonic, scratch=scratch, command=WORKER)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def bundle() -> tuple[Profile, bytes]:
    return profile_and_reference()


def test_a_shifted_window_is_over_and_the_next_is_judged_without_another_calibration(
    backend: AlibiBackend, bundle: tuple[Profile, bytes]
) -> None:
    profile, reference = bundle
    assert profile.calibrated

    first = backend.judge(STREAM, profile, reference, window(profile, rows(1000, seed=1, season=2.5)))
    second = backend.judge(STREAM, profile, reference, window(profile, rows(1000, seed=2)))

    assert tuple(judgement.detector for judgement in first) == DETECTORS
    assert first[0].verdict is Verdict.OVER
    assert first[0].columns[0].name == "temp"
    assert {judgement.verdict for judgement in second} == {Verdict.WITHIN}
    assert all(judgement.calibrated for judgement in second)
    assert backend.alive
    assert backend.restarts == 0


def test_what_the_worker_cannot_read_costs_that_version_alone(
    backend: AlibiBackend, bundle: tuple[Profile, bytes]
) -> None:
    profile, reference = bundle
    with pytest.raises(BackendUnavailable, match=r"drift-reference\.npz: reference"):
        backend.judge(STREAM, profile, reference[:100], window(profile, rows(100, seed=3)))

    assert backend.judge(STREAM, profile, reference, window(profile, rows(100, seed=4)))


def test_an_uncalibrated_profile_gives_uncalibrated_judgements(backend: AlibiBackend) -> None:
    profile, reference = profile_and_reference(timed=False)

    judgements = backend.judge(STREAM, profile, reference, window(profile, rows(1000, seed=5, season=2.5)))

    assert {judgement.verdict for judgement in judgements} == {Verdict.OVER}
    assert not any(judgement.calibrated for judgement in judgements)


def test_a_worker_killed_between_windows_is_replaced_and_costs_none(backend: AlibiBackend) -> None:
    profile, reference = profile_and_reference(timed=False)  # which takes no calibration
    backend.judge(STREAM, profile, reference, window(profile, rows(100, seed=6)))
    worker = _worker()
    os.kill(worker, signal.SIGKILL)
    os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)

    judgements = backend.judge(STREAM, profile, reference, window(profile, rows(1000, seed=7)))

    assert judgements[0].verdict is Verdict.WITHIN
    assert backend.restarts == 1


def _worker() -> int:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    (pid,) = [pid for pid in children if WORKER[0] in Path(f"/proc/{pid}/cmdline").read_text()]
    return int(pid)
