"""`python -m logs`: pods' logs of the built-in cluster through a Collector into Loki, as docs/logs.md has it.

Every line that was written meanwhile must be there once, with its time, level and members, and the queries of the page
must find what they say.
"""

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from cluster import lifecycle, paths
from cluster.progress import wait_until
from logs import page, programs, servers, writers
from logs.lines import Line, kept, missing
from logs.servers import Loki
from rollouts.stage import Stage

_REQUESTS = 200
_ARRIVE_SECONDS = 90
_SHOWN = 3  # lines of what is missing
_ALL = '{service_name=~".+"}'


class MissedError(RuntimeError):
    """Something of the page does not hold; the message says what."""


def main() -> int:
    """Check; return 0 if all of it holds."""
    cluster = paths.ClusterPaths(os.environ["CLUSTER"])
    try:
        _check(cluster)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"logs-check: {error}", file=sys.stderr)
        return 1
    return 0


def _check(cluster: paths.ClusterPaths) -> None:
    if not lifecycle.is_up(cluster):
        raise MissedError(f"the cluster {cluster.name} is not up; next: make up")
    told = page.read(page.FILE.read_text(encoding="utf-8"))
    stage, pods = Stage(cluster), cluster.state / "pod-logs"
    _say("Loki and a Collector: building what is missing, ten minutes the first time")
    programs.loki()
    programs.collector()
    with tempfile.TemporaryDirectory(prefix="leeway-logs-") as name, servers.loki(Path(name)) as loki:
        settings = page.placed(told.configuration, pods=str(pods), loki=loki.url)
        with writers.Files(pods) as files, servers.collector(Path(name), settings, files=files.look()):
            since = time.time_ns()
            _say(f"{_REQUESTS} requests to a model at debug, and a model that is not served")
            with writers.installed(stage):
                requests = writers.ask(stage, _REQUESTS)
                _arrived(loki, files, since)
                for query in told.queries:
                    _found(loki, page.about(query, model=writers.SITE.name, request_id=requests[-1]), since)


def _arrived(loki: Loki, files: writers.Files, since: int) -> None:
    """Wait until Loki has exactly what was written, and print how much of each."""
    expected: list[Line] = []
    found: list[Line] = []

    def complete() -> bool:
        expected[:] = files.lines(since)
        found[:] = kept(loki.lines(_ALL, since=since))
        return not any(missing(expected, found))

    try:
        wait_until(complete, seconds=_ARRIVE_SECONDS, what="all that was written, in Loki")
    except TimeoutError as error:
        absent, strange = missing(expected, found)
        said = [f"{error}: {absent.total()} of {len(expected)} lines are not there, {strange.total()} were not written"]
        said += [f"  not there: {line}" for line in list(absent)[:_SHOWN]]
        said += [f"  not written: {line}" for line in list(strange)[:_SHOWN]]
        raise MissedError("\n".join(said)) from error
    for service, count in sorted(Counter(line.service for line in found).items()):
        _say(f"  {count:5d} lines of {service}, each once")


def _found(loki: Loki, query: str, since: int) -> None:
    """Ask a query and print what it finds.

    Raises:
        MissedError: it does not find each service that it names, or a row without a label that it is to have.
    """
    _say(query)
    if labels := page.labels_of(query):
        rows = [(row["metric"], row["value"][1]) for row in loki.now(query)["data"]["result"]]
        complete = bool(rows) and all(labels == set(metric) for metric, _ in rows)
        told = [f"{count}  {metric}" for metric, count in rows]
    else:
        lines = kept(loki.lines(query, since=since))
        complete = page.services_of(query) == {line.service for line in lines}
        told = [f"{line.service}: {line.text} {dict(line.members)}" for line in lines]
    for row in told:
        _say(f"  {row}")
    if not complete:
        raise MissedError(f"{query} does not find what it names")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
