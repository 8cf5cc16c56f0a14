"""`make prove`: rollouts of good and of faulty versions on the cluster, side by side as models of their own."""

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cluster import demo, paths
from cluster.progress import wait_until
from drill.detector import Detector, RefusedError
from rollouts import flagger, manifests, prometheus
from rollouts.cases import STRATEGY, Case, plan, waves
from rollouts.labels import Labels
from rollouts.manifests import Manifest, Site
from rollouts.stage import Stage
from rollouts.table import Result, markdown, result_of
from rollouts.telling import Story, attempts, outcome
from rollouts.traffic import Traffic
from rollouts.variants import Variants, prepare

_MODELS, _RATE = 6, 120
"""Side by side, and requests per second of all of them: what two cores serve beside a cluster's own work."""
_SAMPLES = 1000
_CAPTURE = {"mode": "direct", "sample": 1}
_READY_SECONDS = 300.0
_HISTORY_SECONDS = 60.0  # of traffic on the stable version alone
_CASE_SECONDS = 2400.0
_POLL_SECONDS = 2.0
_LAST_SCRAPE_SECONDS = 5.0
_RECORDS = paths.REPOSITORY / "build/prove"
_PAGE = paths.REPOSITORY / "docs/prove.md"

Say = Callable[[str], None]


@dataclass
class Running:
    """A rollout under way: its traffic, its story, and what is known of it so far.

    Attributes:
        version: of the candidate.
        attempts: number of the last attempt before it.
        released: when, seconds since 1970, like all times here.
        first_traffic: when the candidate first had a share; NaN: not yet.
        revision: of the candidate; empty: not yet known.
        last: its latest status.
        ended: the record of the attempt; None: under way.
        end: when that was seen.
    """

    case: Case
    site: Site
    version: str
    traffic: Traffic
    story: Story
    attempts: int
    released: float
    first_traffic: float = math.nan
    revision: str = ""
    last: dict[str, Any] = field(default_factory=dict)
    ended: dict[str, Any] | None = None
    end: float = math.nan

    def look(self, status: dict[str, Any], now: float) -> Iterable[str]:
        """Take in a status and return what is new in it."""
        self.last = status
        candidate = status.get("candidate") or {}
        if candidate:
            self.revision = candidate["revision"]
        if math.isnan(self.first_traffic) and candidate.get("weight", 0) > 0:
            self.first_traffic = now
        record = outcome(status, after=self.attempts)
        if record is not None and self.ended is None:
            self.ended, self.end = dict(record), now
        return self.story.lines(status)


def run(cluster: paths.ClusterPaths, names: Sequence[str], say: Say) -> list[str]:
    """Run the cases that have no record in build/prove yet, and write the page over all that have one.

    Args:
        cluster: that `make up` has left.
        names: of cases to run, whether they have a record or not; none are all.
        say: prints a line.

    Returns:
        Every miss.

    Raises:
        ValueError: there is no case of one of the names.
        CommandFailedError: the cluster refused something.
        TimeoutError: a model did not become ready.
    """
    cases = {case.name: case for case in plan()}
    if unknown := set(names) - set(cases):
        raise ValueError(f"{', '.join(sorted(unknown))}: expected some of {', '.join(cases)}")
    chosen = [case for case in cases.values() if case.name in names or not (names or _record(case).exists())]
    if chosen:
        say("the versions: training, building and loading what is missing")
        stage, variants = Stage(cluster), prepare(cluster)
        grouped = list(waves(chosen, models=_MODELS, rate=_RATE))
        for number, wave in enumerate(grouped, 1):
            say(f"\nwave {number} of {len(grouped)}: {', '.join(case.name for case in wave)}")
            _Wave(stage, variants, say).run(wave)
    results = [result_of(json.loads(_record(case).read_text())["result"]) for case in plan() if _record(case).exists()]
    write(results, datetime.now(UTC))
    say(f"\n{len(results)} of {len(cases)} rollouts are in {_PAGE}")
    return [result.miss for result in results if result.miss]


def write(results: Sequence[Result], when: datetime) -> None:
    """Write the page and, beside it, the same as JSON."""
    how = (
        f"Of {when:%d %B %Y}: the built-in cluster on one machine, at most {_MODELS} models and {_RATE} requests per"
        " second side by side, arrivals at random, the flights model with labels after 5 s. Steps: 10 % for 30 s, then"
        " 50 %."
    )
    _PAGE.write_text(markdown(results, how=how), encoding="utf-8")
    documents = [result.document() for result in results]
    _PAGE.with_suffix(".json").write_text(json.dumps(documents, indent=1) + "\n", encoding="utf-8")


def _record(case: Case) -> Path:
    return _RECORDS / f"{case.name}.json"


class _Wave:
    """Cases that run side by side."""

    def __init__(self, stage: Stage, variants: Variants, say: Say) -> None:
        self._stage, self._variants, self._say = stage, variants, say
        self._base, self._runtime = stage.base()
        self._monitor = stage.server_monitor()
        self._made: list[Manifest] = []
        self._samples = demo.samples(_SAMPLES)
        self._detector = Detector(stage.cluster.kubeconfig)

    def run(self, cases: Sequence[Case]) -> None:
        """Serve the first version of each, release the second, and record what comes of it."""
        sites = {case: Site(case.name, demo.NAMESPACE) for case in cases}
        try:
            self._serve(sites)
            with ExitStack() as stack:
                traffic = {case: stack.enter_context(self._traffic(case, site)) for case, site in sites.items()}
                for case, site in sites.items():
                    stack.enter_context(self._labels(traffic[case], site))
                self._say(f"every model serves; {_HISTORY_SECONDS:.0f} s of traffic before the releases")
                time.sleep(_HISTORY_SECONDS)  # what the tests start from is the stable version's history
                self._watch([self._release(case, site, traffic[case]) for case, site in sites.items()])
        finally:
            self._stage.remove(self._made)

    def _serve(self, sites: dict[Case, Site]) -> None:
        for scrape in {case.scrape for case in sites}:
            models = [case.name for case in sites if case.scrape == scrape]
            self._made.append(manifests.pod_monitor(self._monitor, f"prove-{scrape}s", models, interval=f"{scrape}s"))
        for case, site in sites.items():
            good = manifests.runtime(self._runtime, site, _runtime_name(case, bad=False))
            self._made += [self._rollout(site, self._variants.stable, good["metadata"]["name"]), good]
            if case.fault is not None:
                image, name = self._variants.faulty_server, _runtime_name(case, bad=True)
                self._made.append(manifests.runtime(self._runtime, site, name, image=image, fault=case.fault))
        self._stage.kube.apply(self._made)
        waiting = set(sites.values())

        def serve() -> bool:
            waiting.difference_update([site for site in waiting if self._stage.answers(site, self._samples[0])])
            return not waiting

        wait_until(serve, seconds=_READY_SECONDS, what=f"an answer of each of {', '.join(s.name for s in waiting)}")

    def _release(self, case: Case, site: Site, traffic: Traffic) -> Running:
        status, version = self._stage.status(site), self._variants.good.version
        running = Running(case, site, version, traffic, Story(status), attempts(status), time.time())
        self._stage.kube.apply([self._rollout(site, self._variants.good, _runtime_name(case, bad=bool(case.kind)))])
        return running

    def _rollout(self, site: Site, model: demo.ModelImage, runtime: str) -> Manifest:
        return manifests.rollout(
            self._base,
            site,
            model=model.values(),
            runtime=runtime,
            strategy=STRATEGY,
            capture=_CAPTURE,
        )

    def _traffic(self, case: Case, site: Site) -> Traffic:
        endpoint = self._stage.endpoint_of(site)
        return Traffic(endpoint, site.path, self._samples, rate=case.rate, seed=sum(case.name.encode()))

    def _labels(self, traffic: Traffic, site: Site) -> Labels:
        def send(items: list[dict[str, Any]]) -> None:
            try:
                self._detector.feedback(items)
            except (RefusedError, OSError) as error:
                self._say(f"{site.name}: {len(items)} labels were not taken: {error}")

        return Labels(send, traffic.sent, self._samples, site, clock=time.time)

    def _watch(self, under_way: list[Running]) -> None:
        deadline = time.time() + _CASE_SECONDS
        while under_way:
            statuses = self._stage.statuses()
            now = time.time()
            for running in list(under_way):
                for line in running.look(statuses.get(running.site, {}), now):
                    self._say(f"{running.case.name:<20} {line}")
                if now > min(running.end + _LAST_SCRAPE_SECONDS if running.ended else math.inf, deadline):
                    under_way.remove(running)
                    self._keep(running, now)
            time.sleep(_POLL_SECONDS)  # a poll; every rollout ends by the deadline

    def _keep(self, running: Running, now: float) -> None:
        """Record what a rollout came to, with what Prometheus recorded of its candidate."""
        end = now if math.isnan(running.end) else running.end
        series = []
        if not math.isnan(running.first_traffic):
            labels = {
                "namespace": running.site.namespace,
                "leeway_dev_model": running.site.name,
                "leeway_dev_revision": running.revision,
            }
            series = prometheus.request_counters(self._stage.kube, labels, start=running.released, end=end)
        result = result_of_running(running, series, end)
        document = {
            "result": result.document(),
            "status": running.last,
            "series": [{"failed": one.failed, "samples": one.samples} for one in series],
        }
        _RECORDS.mkdir(parents=True, exist_ok=True)
        _record(running.case).write_text(json.dumps(document, indent=1), encoding="utf-8")
        self._say(f"{running.case.name:<20} {result.verdict}" + (f"; MISS: {result.miss}" if result.miss else ""))


def _runtime_name(case: Case, *, bad: bool) -> str:
    return f"{case.name}-{'bad' if bad else 'good'}"


def result_of_running(running: Running, series: Sequence[flagger.Series], end: float) -> Result:
    """Put together what is known of a rollout that ended, or was given up at `end`."""
    judged = flagger.judge(series, start=running.first_traffic, end=end)
    since = [sent for sent in list(running.traffic.sent) if running.released <= sent.time <= end]
    candidate = [sent for sent in since if sent.version == running.version]
    held = (running.last.get("analysis") or {}).get("held") or {}
    return Result(
        case=running.case,
        verdict=running.ended["outcome"] if running.ended else "Undecided",
        reason=running.ended["reason"] if running.ended else held.get("reason", running.last.get("phase", "no status")),
        seconds=end - running.first_traffic,
        candidate_requests=len(candidate),
        failed=sum(sent.failed for sent in since),
        candidate_failed=sum(sent.failed for sent in candidate),
        flagger=judged.verdict,
        flagger_seconds=judged.seconds,
        flagger_checks=(judged.failed, judged.checks),
    )
