"""What is counted of an exposition: its series, and what each of them is about."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? [^ ]+$")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')
SCOPES: Mapping[str, str] = {
    "feature": "feature",
    "output": "output",
    "version": "version",
    "model": "model",
    "": "process",
}
"""By the finest label that a series has: what it is about. Features and outputs are those of a version."""

OF_SCRAPES = frozenset(
    {
        "up",
        "scrape_duration_seconds",
        "scrape_samples_scraped",
        "scrape_samples_post_metric_relabeling",
        "scrape_series_added",
    }
)
"""What Prometheus itself records of each target."""


@dataclass(frozen=True)
class Series:
    """One series: its name, with the suffix of a histogram's part, and its labels."""

    name: str
    labels: frozenset[tuple[str, str]]

    @property
    def scope(self) -> str:
        """What kind of thing it is about."""
        names = {name for name, value in self.labels if value}
        return next(scope for label, scope in SCOPES.items() if not label or label in names)

    @property
    def about(self) -> tuple[str, ...]:
        """Which one of these."""
        labels = dict(self.labels)
        return tuple(labels.get(name, "") for name in ("namespace", "model", "version", "output", "feature"))


def parse(exposition: str) -> list[Series]:
    """Read what a component answers to a scrape, series by series; one that is told twice is there twice.

    Raises:
        ValueError: a line is no sample.
    """
    found = []
    for line in exposition.splitlines():
        if not line or line.startswith("#"):
            continue
        sample = _SAMPLE.match(line)
        if sample is None:
            raise ValueError(f"expected a sample of the text format, found {line!r:.200}")
        found.append(Series(sample[1], frozenset(_LABEL.findall(sample[2] or ""))))
    return found


def twice(series: Iterable[Series]) -> list[Series]:
    """Those that are told more than once, of which Prometheus keeps one."""
    return [found for found, count in Counter(series).items() if count > 1]


def most(series: Iterable[Series]) -> dict[str, int]:
    """By scope: how many series the one has that has most of them."""
    counts = Counter((found.scope, found.about if found.scope != "process" else ()) for found in set(series))
    return {
        scope: max((count for (known, _), count in counts.items() if known == scope), default=0)
        for scope in SCOPES.values()
    }
