"""`make demo-rollout`: a good version, then a bad one, by `helm upgrade` under load, told as they happen."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cluster import demo, paths
from cluster.progress import wait_until
from load.profiles import MAXIMUM_SECONDS, Shape
from load.running import Locust, locust
from load.slo import read
from rollouts.manifests import FAULT, Site
from rollouts.stage import Stage
from rollouts.telling import Story, attempts, outcome
from rollouts.variants import Variants, prepare

_SITE = Site(demo.MODEL, demo.NAMESPACE)
_RATE = 40
_STRATEGY = {
    "steps": [{"weight": 5, "hold": "20s"}, {"weight": 25, "hold": "20s"}, {"weight": 50}],
    "minRequests": 20,
    "analysis": {"interval": "10s"},
    "onRevert": "Canary",  # a second run releases what the first one left warm
}
_FOLDER = paths.REPOSITORY / "build/load/demo"
_PATIENCE = 1500.0
_POLL_SECONDS = 1.0
_QUIET_SECONDS = 300.0


class UnexpectedError(RuntimeError):
    """A release ended otherwise than it should have; the message has both."""


def run(cluster: paths.ClusterPaths, fault: str, say: Callable[[str], None]) -> None:
    """Release both versions.

    Args:
        cluster: that `make up` has left.
        fault: what the bad version's server does wrong, as FAULT has it.
        say: prints a line.

    Raises:
        UnexpectedError: the good version was not promoted, or the bad one not rolled back.
        CommandFailedError: the cluster refused something.
        TimeoutError: it took too long.
    """
    with loaded(cluster, say) as (stage, variants, load):
        say(f"\n{_RATE} requests a second. helm upgrade: {variants.good.version}, as good as {demo.VERSION}\n")
        release(stage, good_values(stage.values, variants), "Promoted", say)
        say(f"\nhelm upgrade: {variants.bad.version}, whose server has the fault {fault}\n")
        release(stage, bad_values(stage.values, variants, fault), "RolledBack", say)
        load.stop()
        result = read(load.folder / "run_stats.csv")
    told = f"{result.requests} requests, {result.failures} failed, p99 {result.p99:.0f} ms"
    say(f"\n{told}; {load.folder / 'report.html'}\n")
    say(stage.leeway("why", demo.MODEL))


@contextmanager
def loaded(cluster: paths.ClusterPaths, say: Callable[[str], None]) -> Iterator[tuple[Stage, Variants, Locust]]:
    """The first version, serving under load, and the versions that can be released beside it."""
    say("the versions: training, building and loading what is missing")
    stage, variants = Stage(cluster), prepare(cluster)
    stage.install(stage.values)
    wait_until(lambda: _serves(stage.status(_SITE), demo.VERSION), seconds=_QUIET_SECONDS, what=demo.VERSION)
    with locust(stage.endpoint, Shape("steady", _RATE, MAXIMUM_SECONDS), _FOLDER) as load:
        yield stage, variants, load


def good_values(values: Mapping[str, Any], variants: Variants) -> dict[str, Any]:
    """Return the chart's values that release the good version step by step."""
    model = {**values["models"][demo.MODEL], "model": variants.good.values(), "strategy": _STRATEGY}
    return {**values, "models": {demo.MODEL: model}}


def bad_values(values: Mapping[str, Any], variants: Variants, fault: str) -> dict[str, Any]:
    """Return the values that release the bad version: its server has a fault."""
    released = good_values(values, variants)
    repository, _, tag = variants.faulty_server.removeprefix("docker.io/").rpartition(":")
    images = {**released["images"], "onnxServer": {"repository": repository, "tag": tag}}
    model = released["models"][demo.MODEL]
    bad = {**model, "model": {**variants.bad.values(), "env": {FAULT: fault}}}
    return {**released, "images": images, "models": {demo.MODEL: bad}}


def release(stage: Stage, values: Mapping[str, Any], expected: str, say: Callable[[str], None]) -> None:
    """Install values and tell what becomes of the release.

    Raises:
        UnexpectedError: it ended otherwise than `expected`, the outcome of its record.
        CommandFailedError: the cluster refused something.
        TimeoutError: it has not ended in time.
    """
    before = stage.status(_SITE)
    story, number, deadline = Story(before), attempts(before), time.monotonic() + _PATIENCE
    stage.install(values)
    while True:
        status = stage.status(_SITE)
        _say_all(story.lines(status), say)
        ended = outcome(status, after=number)
        if ended is not None:
            break
        if _rejected(status):
            say(stage.leeway("retry", demo.MODEL))  # an earlier run has seen this version rolled back
        if time.monotonic() > deadline:
            raise TimeoutError(f"the release has not ended within {_PATIENCE:.0f} s; phase {status.get('phase')}")
        time.sleep(_POLL_SECONDS)  # a poll, bounded by the deadline above
    if ended["outcome"] != expected:
        raise UnexpectedError(f"{ended['version']} ended {ended['outcome']} ({ended['reason']}), expected {expected}")


def _serves(status: Mapping[str, Any], version: str) -> bool:
    return status.get("phase") == "Stable" and (status.get("stable") or {}).get("version") == version


def _rejected(status: Mapping[str, Any]) -> bool:
    return any(condition["reason"] == "Rejected" for condition in status.get("conditions", []))


def _say_all(lines: Iterable[str], say: Callable[[str], None]) -> None:
    for line in lines:
        say(line)
