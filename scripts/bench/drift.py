"""One window of 1000 rows and 20 features against a reference of 10 000, judged in every way there is; prints a table.

Run by make bench-drift, in the environment of drift-detector/alibi, which has all of them.

They take turns, so that the ratios say something on a busy machine, too.
"""

import logging
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from alibi_detect.cd import TabularDrift
from scipy.stats import chi2_contingency, ks_2samp

from leeway_alibi.classifier import SAMPLE_ROWS, Classifier
from leeway_alibi.table import Feature, Table
from leeway_drift.columns import Rows
from leeway_drift.counting.counts import Counts
from leeway_drift.detectors.comparison import Comparison
from leeway_drift.detectors.interface import Judgement, Verdict, Window
from leeway_drift.profile import Profile, build_profile
from leeway_drift.statistics.scoring import SCORINGS
from leeway_drift.statistics.two_sample import chi2_two_sample, ks_two_sample

REFERENCE_ROWS, WINDOW_ROWS = 10_000, 1000
NUMERIC = tuple(f"number_{index}" for index in range(12))
LEVELS = dict(zip((f"category_{index}" for index in range(8)), (2, 3, 4, 6, 8, 12, 20, 30), strict=True))
ROUNDS = 15

Columns = Mapping[str, npt.NDArray[Any]]


def main() -> None:
    """Take turns and print medians of CPU time."""
    logging.getLogger("alibi_detect").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="No `categories_per_feature`|ks_2samp: Exact calculation")
    random = np.random.default_rng(1)
    ways = _ways(_columns(random, REFERENCE_ROWS), _columns(random, WINDOW_ROWS))
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begin = time.process_time()
            way()
            taken[name].append(time.process_time() - begin)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    slowest = medians["Alibi-Detect TabularDrift"]
    print("| way | CPU ms per window | rows/s per core | times as fast as TabularDrift |\n|---|---|---|---|")
    for name, median in sorted(medians.items(), key=lambda item: item[1]):
        print(f"| {name} | {median * 1e3:.2f} | {WINDOW_ROWS / median:,.0f} | {slowest / median:.1f} |")


def _columns(random: np.random.Generator, rows: int) -> dict[str, npt.NDArray[Any]]:
    numbers = {name: random.normal(size=rows).astype(np.float32) for name in NUMERIC}
    return numbers | {name: random.integers(levels, size=rows).astype(np.int16) for name, levels in LEVELS.items()}


def _ways(reference: Columns, window: Columns) -> dict[str, Callable[[], object]]:
    matrices = [np.column_stack(list(columns.values())) for columns in (reference, window)]
    categories = dict.fromkeys(range(len(NUMERIC), len(reference)))
    alibi = TabularDrift(matrices[0], categories_per_feature=categories)
    classifier = Classifier.fit(_table(reference))
    ordered = {name: np.sort(reference[name]) for name in NUMERIC}
    counts = {name: np.bincount(reference[name], minlength=levels) for name, levels in LEVELS.items()}

    def scipy() -> None:
        for name in NUMERIC:
            ks_2samp(reference[name], window[name], method="asymp")
        for name, levels in LEVELS.items():
            chi2_contingency([counts[name], np.bincount(window[name], minlength=levels)])

    def exact() -> None:
        for name in NUMERIC:
            ks_two_sample(ordered[name], window[name])
        for name, levels in LEVELS.items():
            chi2_two_sample(counts[name], np.bincount(window[name], minlength=levels))

    return {
        "Leeway, from counts": _counting(reference, window),
        "Leeway, exact statistics of rows": exact,
        "scipy ks_2samp (asymp) and chi2_contingency": scipy,
        "Alibi-Detect TabularDrift": lambda: alibi.predict(matrices[1]),
        "Alibi-Detect ClassifierDrift, as the worker has it": lambda: classifier.measure(_table(window), SAMPLE_ROWS),
    }


def _counting(reference: Columns, window: Columns) -> Callable[[], object]:
    """Counting the rows and judging the counts by the tabular detector: all that a window costs after decoding."""
    named = {name: _named(values) for name, values in reference.items()}
    document = build_profile(named, categorical=list(LEVELS), outputs={"prediction": reference[NUMERIC[0]]})
    profile = Profile.parse(document)
    (scoring,) = [scoring for scoring in SCORINGS if scoring.detector == "tabular"]
    detector = Comparison(profile, scoring)
    rows = Rows.of({name: _named(values) for name, values in window.items()}, WINDOW_ROWS)
    start, end = datetime(2013, 7, 1, tzinfo=UTC), datetime(2013, 7, 2, tzinfo=UTC)

    def count_and_judge() -> Judgement:
        return detector.judge(Window(start, end, Counts.of_request(profile.plan, rows)), [])

    if (judgement := count_and_judge()).verdict is Verdict.INSUFFICIENT:
        raise RuntimeError(f"there is nothing to time, the detector does not judge: {judgement.reason}")
    return count_and_judge


def _named(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype != np.int16:
        return values
    return np.array([f"level {value}" for value in values], dtype=np.object_)


def _table(columns: Columns) -> Table:
    features = [Feature(name, None) for name in NUMERIC] + [Feature(name, levels) for name, levels in LEVELS.items()]
    numbers, codes = ([columns[name] for name in names] for names in (NUMERIC, LEVELS))
    return Table.of(features, np.column_stack(numbers), np.column_stack(codes))


if __name__ == "__main__":
    main()
