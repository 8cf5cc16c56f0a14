"""A program that fails tells why, and where the rest of its output is."""

import sys
from pathlib import Path

import pytest

from cluster.shell import CommandFailedError, run


def test_what_a_program_prints_is_returned() -> None:
    assert run([sys.executable, "-c", "print(input())"], stdin="hello") == "hello\n"


def test_a_failure_carries_the_exit_code_and_the_last_lines() -> None:
    program = "import sys; print('cause', file=sys.stderr); sys.exit(3)"

    with pytest.raises(CommandFailedError, match=r"(?s)ended with 3.*cause"):
        run([sys.executable, "-c", program])


def test_a_failure_with_a_log_names_the_log_and_keeps_everything(tmp_path: Path) -> None:
    log = tmp_path / "logs/build.log"
    program = "import sys; print('first'); print('cause', file=sys.stderr); sys.exit(1)"

    with pytest.raises(CommandFailedError, match=r"(?s)cause.*build\.log"):
        run([sys.executable, "-c", program], log=log)
    assert "first" in log.read_text()


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandFailedError, match="no-such-program: not found"):
        run(["no-such-program"])


def test_a_program_that_does_not_end_is_stopped() -> None:
    with pytest.raises(CommandFailedError, match="still running after"):
        run([sys.executable, "-c", "import threading; threading.Event().wait()"], timeout=0.2)
