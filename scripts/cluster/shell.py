"""Running other programs so that a failure names its cause and where the rest of its output lies."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class CommandFailedError(RuntimeError):
    """A program ended with an error; the message carries its last lines and, when kept, its log."""


def run(
    command: Sequence[str | Path],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | bytes | None = None,
    timeout: float | None = None,
) -> str:
    """Run `command` to its end and return what it printed to standard output.

    Args:
        command: the program and its arguments; never passed through a shell.
        log: a file that receives standard output and standard error, appended; the return value is then empty.
        env: variables added to this process's own.
        cwd: the folder to run in.
        stdin: text or bytes for its standard input, which is empty otherwise.
        timeout: seconds.

    Raises:
        CommandFailedError: it ended non-zero, ran out of time or could not be started.
    """
    argv = [str(part) for part in command]
    payload = stdin.encode() if isinstance(stdin, str) else stdin
    full_env = {**os.environ, **env} if env else None
    try:
        if log is None:
            done = subprocess.run(
                argv, capture_output=True, env=full_env, cwd=cwd, input=payload or b"", timeout=timeout, check=False
            )
            output, errors = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as sink:
                done = subprocess.run(
                    argv, stdout=sink, stderr=sink, env=full_env, cwd=cwd, input=payload or b"", timeout=timeout,
                    check=False,
                )  # fmt: skip
            output, errors = "", _tail(log)
    except FileNotFoundError as error:
        raise CommandFailedError(f"{argv[0]}: not found") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailedError(f"{' '.join(argv[:4])} …: still running after {timeout:.0f} s") from error
    if done.returncode != 0:
        where = f"\n  whole log: {log}" if log else ""
        tail = "\n".join(f"  {line}" for line in (errors or output).strip().splitlines()[-15:])
        raise CommandFailedError(f"{' '.join(argv[:4])} … ended with {done.returncode}:\n{tail}{where}")
    return output


def _tail(log: Path, size: int = 8192) -> str:
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - size))
        return file.read().decode(errors="replace")
