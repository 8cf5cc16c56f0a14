"""What Prometheus and the drift detector have to carry for a fleet of models: `make bench-metrics`; twenty minutes.

Metrics of 50 models with 3 versions of 100 features each, made by the components' own code, are scraped by a Prometheus
as the chart asks it to, with the chart's rules; and those of one model, so that one sees what a model adds.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench import cardinality_fleet, cardinality_prometheus, cardinality_series

SMALL = 1
"""Models of the fleet beside it."""
_SHOWN = 20
_WATCHED, _FEW_FEATURES = 2, 10
_INFERENCES = 4000
"""Of each version in an hour."""
_GROUP = "prometheus_rule_group_last_duration_seconds"


@dataclass(frozen=True)
class Carried:
    """What one fleet costs.

    Attributes:
        series: in Prometheus' head, by where they come from and by name.
        memory: resident bytes.
        samples: a second.
        cpu: cores that Prometheus keeps busy.
        groups: seconds of the last evaluation, by group of rules.
        scrapes: CPU seconds and bytes of the largest answer, by the monitor that asks for it.
        twice: series that a component told more than once in one answer.
        failed: targets that did not answer the last scrape in time.
    """

    series: Mapping[str, Counter[str]]
    memory: float
    samples: float
    cpu: float
    groups: Mapping[str, float]
    scrapes: Mapping[str, tuple[float, int]]
    twice: int
    failed: int

    @property
    def total(self) -> int:
        """All series."""
        return sum(sum(found.values()) for found in self.series.values())


def main() -> None:
    """Measures and prints tables."""
    parser = argparse.ArgumentParser(prog="bench.cardinality", description="What Prometheus carries for a fleet.")
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--versions", type=int, default=3)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=240, help="for which each fleet is scraped")
    parser.add_argument("--only", choices=("series", "memory"))
    options = parser.parse_args()
    if options.only != "series":
        print(f"The detector's memory:\n\n{memory_table(options.features)}\n", flush=True)
    if options.only == "memory":
        return
    small, large = (
        measure(models, options.versions, options.features, seconds=options.seconds)
        for models in (SMALL, options.models)
    )
    print(table(small, large, options.models))


def measure(models: int, versions: int, features: int, *, seconds: float) -> Carried:
    """Have a fleet scraped for so many seconds."""
    with cardinality_fleet.running(models, versions, features) as pods:
        scrapes: dict[str, tuple[float, int]] = {}
        twice = 0
        for pod in pods:
            began = pod.cpu_seconds
            text = pod.scrape()
            scrapes[pod.monitor] = max(scrapes.get(pod.monitor, (0.0, 0)), (pod.cpu_seconds - began, len(text)))
            twice += len(cardinality_series.twice(cardinality_series.parse(text)))
        with cardinality_prometheus.scraping(pods, models) as prometheus:
            time.sleep(seconds / 2)  # it has seen everything by then
            before = prometheus.read()
            time.sleep(seconds / 2)  # what is measured
            after = prometheus.read()
            # Those of a target that has just failed are there all the same.
            found = prometheus.ask('count by (job, __name__) (last_over_time({__name__!=""}[5m]))')
            failed = sum(float(sample["value"][1]) for sample in prometheus.ask("count by (job) (up == 0)"))

    def rate(name: str) -> float:
        return (after.values[name] - before.values[name]) / (after.at - before.at)

    return Carried(
        series=by_origin([(sample["metric"], int(sample["value"][1])) for sample in found]),
        memory=after.values["process_resident_memory_bytes"],
        samples=rate('prometheus_tsdb_head_samples_appended_total{type="float"}'),
        cpu=rate("process_cpu_seconds_total"),
        groups={name.rpartition(";")[2]: value for name, value in after.labelled(_GROUP).items()},
        scrapes=scrapes,
        twice=twice,
        failed=int(failed),
    )


def memory_table(features: int) -> str:
    """Memory of the detector for each version that it watches, as Markdown."""
    lines = ["| features | alone, MB | beside another, MB |", "|---|---|---|"]
    for count in (_FEW_FEATURES, features):
        told = [cardinality_fleet.detector_memory(_WATCHED, count, _INFERENCES, beside) for beside in (1, _WATCHED)]
        each = [(found["after"] - found["before"]) / _WATCHED / 1e6 for found in told]
        lines.append(f"| {count} | {each[0]:.0f} | {each[1]:.0f} |")
    return "\n".join(lines)


def by_origin(found: Sequence[tuple[Mapping[str, str], int]]) -> dict[str, Counter[str]]:
    """Counts of series by the monitor that they come from, or by what Prometheus makes itself, and by name.

    Args:
        found: labels `job` and `__name__`, and how many series have them.
    """
    series: dict[str, Counter[str]] = {}
    for labels, count in found:
        name = labels["__name__"]
        if name in cardinality_series.OF_SCRAPES:
            origin = "that scrapes leave"
        elif ":" in name or name in ("ALERTS", "ALERTS_FOR_STATE"):
            origin = "that rules record"
        else:
            origin = "of " + labels["job"].partition("/")[2].removeprefix(f"{cardinality_prometheus.RELEASE}-")
        series.setdefault(origin, Counter())[name] += count
    return series


def table(small: Carried, large: Carried, models: int) -> str:
    """Both fleets side by side, as Markdown."""

    def row(what: str, of: Callable[[Carried], float], form: str = ",.0f") -> str:
        one, many = of(small), of(large)
        slope = (many - one) / (models - SMALL)
        return f"| {what} | {one:{form}} | {many:{form}} | {slope:{form}} |"

    origins = sorted(large.series, key=lambda origin: -large.series[origin].total())
    lines = [
        f"| | {SMALL} model | {models} models | a model more |",
        "|---|---|---|---|",
        *(row(f"series {origin}", partial(_series, origin)) for origin in origins),
        row("**series, all**", lambda fleet: fleet.total),
        row("samples a second", lambda fleet: fleet.samples),
        row("memory of Prometheus, MB", lambda fleet: fleet.memory / 1e6),
        row("CPU of Prometheus, cores", lambda fleet: fleet.cpu, ".3f"),
        row("all rules, seconds an evaluation", lambda fleet: sum(fleet.groups.values()), ".3f"),
        row("series told twice in an answer", lambda fleet: fleet.twice),
        row("targets that did not answer in time", lambda fleet: fleet.failed),
        *(row(f"answer of {monitor}, kB", partial(_kilobytes, monitor)) for monitor in large.scrapes),
        *(row(f"answer of {monitor}, CPU seconds", partial(_seconds, monitor), ".3f") for monitor in large.scrapes),
    ]
    byte = (large.memory - small.memory) / (large.total - small.total)
    names = sum(large.series.values(), Counter[str]())
    groups = sorted(large.groups.items(), key=lambda item: -item[1])
    return "\n".join(
        [
            *lines,
            f"\n{byte:,.0f} bytes of memory a series more.",
            "\n| metric | series |\n|---|---|",
            *(f"| `{name}` | {count:,} |" for name, count in names.most_common(_SHOWN)),
            "\n| group of rules | seconds |\n|---|---|",
            *(f"| `{name}` | {value:.3f} |" for name, value in groups),
        ]
    )


def _kilobytes(monitor: str, fleet: Carried) -> float:
    return fleet.scrapes[monitor][1] / 1e3


def _seconds(monitor: str, fleet: Carried) -> float:
    return fleet.scrapes[monitor][0]


def _series(origin: str, fleet: Carried) -> float:
    return fleet.series.get(origin, Counter()).total()


if __name__ == "__main__":
    main()
