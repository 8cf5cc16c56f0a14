"""A worker may die, hang, lie or eat memory; whoever asked it is told which, in time, and it is gone."""

import os
import select
import sys
from pathlib import Path

import pytest

from leeway_drift.service.alibi_process import WorkerError, WorkerProcess
from leeway_drift.service.alibi_protocol import encode

PATIENT = 20.0
SOON = 0.3
MEMORY = 1 << 30
QUESTION = encode({"op": "judge"})
# What a worker does with a question that it has read: the body of a Python program.
READ = """
import os, sys, time
from leeway_drift.service.alibi_protocol import PREFIX_BYTES, decode, encode, lengths
def read():
    header, arrays = lengths(sys.stdin.buffer.read(PREFIX_BYTES))
    return decode(sys.stdin.buffer.read(header), sys.stdin.buffer.read(arrays))
def say(answer):
    sys.stdout.buffer.write(encode(answer))
    sys.stdout.buffer.flush()
"""


def worker(scratch: Path, program: str, *, memory: int = MEMORY) -> WorkerProcess:
    return WorkerProcess([sys.executable, "-c", READ + program], scratch=scratch, memory_bytes=memory)


def gone(process: WorkerProcess) -> bool:
    return not process.alive and not Path(f"/proc/{process.pid}").exists()


def ends(pid: int) -> bool:
    """Whether a process that is nobody's child here ends by a signal that it was sent and may not have got yet."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], PATIENT)[0])
    finally:
        os.close(descriptor)


def test_an_answer_is_the_header_of_the_frame(tmp_path: Path) -> None:
    process = worker(tmp_path, "while True: say({'heard': read()[0]})")
    try:
        for _ in range(2):
            assert process.ask(QUESTION, PATIENT) == {"heard": {"op": "judge"}}
    finally:
        process.kill()
    assert gone(process)


def test_a_worker_killed_in_the_middle_of_an_answer_is_said_to_be(tmp_path: Path) -> None:
    process = worker(
        tmp_path, "read(); sys.stdout.buffer.write(encode({})[:9]); sys.stdout.flush(); os.kill(os.getpid(), 9)"
    )

    with pytest.raises(WorkerError, match=r"the worker died \(signal 9\)"):
        process.ask(QUESTION, PATIENT)
    assert gone(process)


def test_a_worker_that_ends_before_it_is_asked_is_said_to_have_died(tmp_path: Path) -> None:
    process = worker(tmp_path, "sys.exit(3)")

    with pytest.raises(WorkerError, match=r"the worker died \(exit code 3\)"):
        process.ask(QUESTION, PATIENT)
    assert gone(process)


def test_garbage_on_stdout_is_no_answer_and_ends_the_worker(tmp_path: Path) -> None:
    process = worker(tmp_path, "print('Using 10000 bootstrap simulations', flush=True); read(); time.sleep(60)")

    with pytest.raises(WorkerError, match=r"the worker said a frame that begins with b'Usin', expected b'LWA1'"):
        process.ask(QUESTION, PATIENT)
    assert gone(process)


def test_a_worker_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    process = worker(
        tmp_path,
        "read(); import subprocess; child = subprocess.Popen(['sleep', '60']);"
        "open('child', 'w').write(str(child.pid)); say({}); read(); time.sleep(60)",
    )
    process.ask(QUESTION, PATIENT)
    child = int((tmp_path / "child").read_text())

    with pytest.raises(WorkerError, match=r"did not answer within 0\.3 s and was killed"):
        process.ask(QUESTION, SOON)
    assert gone(process)
    assert ends(child)


def test_a_worker_that_does_not_even_read_is_killed(tmp_path: Path) -> None:
    process = worker(tmp_path, "time.sleep(60)")

    with pytest.raises(WorkerError, match="did not answer within"):
        process.ask(encode({"text": "x" * (1 << 20)}), SOON)  # more than a pipe holds
    assert gone(process)


def test_memory_over_the_limit_is_refused_to_the_worker_and_not_taken_from_us(tmp_path: Path) -> None:
    process = worker(tmp_path, "read(); held = bytearray(2 << 30); say({})")

    with pytest.raises(WorkerError, match=r"the worker died \(exit code 1\)"):  # of a MemoryError
        process.ask(QUESTION, PATIENT)


def test_a_worker_sees_nothing_of_our_environment_and_no_descriptor_but_its_pipes(tmp_path: Path) -> None:
    secret, inheritable = os.open(os.devnull, os.O_RDONLY), os.dup(0)
    os.set_inheritable(inheritable, True)
    process = worker(
        tmp_path,
        "read(); say({'names': sorted(os.environ), 'open': sorted(int(n) for n in os.listdir('/proc/self/fd'))})",
    )
    try:
        answer = process.ask(QUESTION, PATIENT)
    finally:
        process.kill()
        os.close(secret)
        os.close(inheritable)

    allowed = {"HOME", "LANG", "LC_CTYPE", "NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"}
    assert set(answer["names"]) <= allowed | {"OPENBLAS_NUM_THREADS", "PATH"}
    assert answer["open"][:3] == [0, 1, 2]
    assert len(answer["open"]) == 4  # the fourth is the folder being listed


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="/no/such/worker cannot be started"):
        WorkerProcess(["/no/such/worker"], scratch=tmp_path, memory_bytes=MEMORY)
