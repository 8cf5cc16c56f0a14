"""A registry on this machine, for as long as something is tried with it."""

import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LISTENING = "serving on port "


@contextmanager
def local(crane: Path) -> Iterator[str]:
    """Serve an empty registry on the loopback address; gives "127.0.0.1:<port>" and leaves nothing.

    Raises:
        RuntimeError: it did not start; the message carries what it printed.
    """
    with tempfile.TemporaryDirectory() as disk:
        process = subprocess.Popen(
            [crane, "registry", "serve", "--address", "127.0.0.1:0", "--disk", disk],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        printed: list[str] = []
        reader: threading.Thread | None = None
        try:
            for line in process.stderr:
                printed.append(line)
                if _LISTENING in line:
                    break
            else:
                raise RuntimeError(f"the registry did not start: {''.join(printed)}")
            # It writes a line per request, and would wait for a reader once the pipe is full.
            reader = threading.Thread(target=deque, args=(process.stderr, 0))
            reader.start()
            yield f"127.0.0.1:{printed[-1].rpartition(_LISTENING)[2].strip()}"
        finally:
            process.terminate()
            process.wait()
            if reader:
                reader.join()
            process.stderr.close()
