"""`make transcript`: the README's opening, a bad release as two terminals saw it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster import demo, paths
from rollouts.demo import bad_values, loaded, release
from rollouts.stage import Stage

PAGE = paths.REPOSITORY / "README.md"
BEGIN, END = "<!-- transcript: begin -->", "<!-- transcript: end -->"
_WATCH = ("get", "mro", demo.MODEL, "--watch")
_ENDS_SECONDS = 10.0


def run(cluster: paths.ClusterPaths, fault: str, say: Callable[[str], None]) -> None:
    """Release the bad version under load, as `make demo-rollout` does, and write what was seen into the README.

    Args:
        cluster: that `make up` has left.
        fault: what the bad version's server does wrong, as FAULT has it.
        say: prints a line.

    Raises:
        UnexpectedError: the version was not rolled back; the page is left as it was.
        CommandFailedError: the cluster refused something.
        TimeoutError: it took too long.
        ValueError: the page has no place for it.
    """
    written(PAGE.read_text(encoding="utf-8"), "")  # a page without the place is an error now, not after the release
    with loaded(cluster, say) as (stage, variants, load):
        with watch(stage, load.folder / "watch.txt") as watched:
            release(stage, bad_values(stage.values, variants, fault), "RolledBack", say)
        seen = news(watched.read_text(encoding="utf-8"))
        why = stage.leeway("why", demo.MODEL)
    text = told((f"kubectl {' '.join(_WATCH)}", seen), (f"kubectl leeway why {demo.MODEL}", why))
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


@contextmanager
def watch(stage: Stage, file: Path) -> Iterator[Path]:
    """Keep what `kubectl get --watch` prints during the block."""
    command = [str(stage.cluster.bin / "kubectl"), *_WATCH, f"--namespace={demo.NAMESPACE}"]
    environment = {**os.environ, "KUBECONFIG": str(stage.cluster.kubeconfig)}
    with file.open("wb") as sink:
        process = subprocess.Popen(command, env=environment, stdout=sink)
    try:
        yield file
    finally:
        process.terminate()
        process.wait(_ENDS_SECONDS)


def news(watched: str) -> str:
    """The rows of a watched table that differ from the row before them in more than the last column, the age."""
    lines = watched.splitlines()
    before = [None, *(line.split()[:-1] for line in lines)]
    return "\n".join(line for line, last in zip(lines, before, strict=False) if line.split()[:-1] != last)


def told(*commands: tuple[str, str]) -> str:
    """What a terminal shows: each command and what it printed, in one block of Markdown."""
    lines = ["```"]
    for command, printed in commands:
        lines += [f"$ {command}", *(line.rstrip() for line in printed.strip("\n").splitlines())]
    return "\n".join([*lines, "```"])


def written(page: str, text: str) -> str:
    """The page with `text` between its markers.

    Raises:
        ValueError: it does not have each marker once, in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise ValueError(f"expected {BEGIN} and, after it, {END}, each once in the page")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
