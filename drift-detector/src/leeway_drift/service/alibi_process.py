"""The worker as a process: one question, one answer, within a time; whatever else it does, it is killed for."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leeway_drift.service.alibi_protocol import PREFIX_BYTES, FrameError, decode, lengths

_CHUNK = 1 << 16


class WorkerError(Exception):
    """The worker died, hung, or said what is no answer, and has been killed; the message says which."""


class WorkerProcess:
    """A started worker.

    It gets no descriptor but its three pipes, none of our environment, one thread per library, and a bounded address
    space. Its stderr is ours, so that what it complains of is in the log.

    Args:
        command: to run.
        scratch: a folder it may write to.
        memory_bytes: address space at most.

    Raises:
        WorkerError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], *, scratch: Path, memory_bytes: int) -> None:
        environment = {
            "HOME": str(scratch),
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PATH": os.defpath,
        }
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                cwd=scratch,
                start_new_session=True,  # a Ctrl-C is for us, and killing it takes along whatever it started
                bufsize=0,
            )
        except OSError as error:
            raise WorkerError(f"{command[0]} cannot be started: {error}") from error
        with contextlib.suppress(ProcessLookupError):  # it has died already, which the first question will tell
            resource.prlimit(self._process.pid, resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        assert self._process.stdin is not None  # noqa: S101 - both are pipes, as asked for
        assert self._process.stdout is not None  # noqa: S101 - as above
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def ask(self, frame: bytes, seconds: float) -> dict[str, Any]:
        """Send a frame and return the header of the answer.

        Raises:
            WorkerError: no answer within ``seconds``, or none at all; the worker is dead now.
        """
        deadline = time.monotonic() + seconds
        try:
            self._send(frame, deadline)
            header, arrays = lengths(self._receive(PREFIX_BYTES, deadline))
            return decode(self._receive(header, deadline), self._receive(arrays, deadline))[0]
        except TimeoutError as error:
            self.kill()
            raise WorkerError(f"the worker did not answer within {seconds:g} s and was killed") from error
        except FrameError as error:
            self.kill()
            raise WorkerError(f"the worker said {error}, and was killed") from error
        except (EOFError, BrokenPipeError) as error:
            raise WorkerError(f"the worker died ({self._cause()})") from error

    def kill(self) -> None:
        """End it at once, with whatever it started, and wait for that."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _send(self, frame: bytes, deadline: float) -> None:
        rest = memoryview(frame)
        while rest:
            _wait(deadline, write=self._to)
            rest = rest[os.write(self._to, rest[:_CHUNK]) :]

    def _receive(self, count: int, deadline: float) -> bytes:
        received = bytearray()
        while len(received) < count:
            _wait(deadline, read=self._from)
            chunk = os.read(self._from, min(_CHUNK, count - len(received)))
            if not chunk:
                raise EOFError
            received += chunk
        return bytes(received)

    def _cause(self) -> str:
        self.kill()  # it has closed its pipe; a process that does so and stays is as good as dead
        code = self._process.returncode
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _wait(deadline: float, *, read: int | None = None, write: int | None = None) -> None:
    left = deadline - time.monotonic()
    ready = select.select([] if read is None else [read], [] if write is None else [write], [], max(0.0, left))
    if not any(ready):
        raise TimeoutError
