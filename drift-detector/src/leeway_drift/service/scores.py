"""How well each version predicts, by its labels: measured for whoever asks, and watched by the detector of concept."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from leeway_drift.detectors.concept import ConceptDetector
from leeway_drift.detectors.interface import Judgement
from leeway_drift.labels.cohorts import Labelled, before, closed_windows, cohort, usual_age
from leeway_drift.labels.performance import performance
from leeway_drift.labels.target import Target
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.pace import Pace
from leeway_drift.service.store import reading
from leeway_drift.service.store.database import Database
from leeway_drift.service.store.tables import to_microseconds, to_time
from leeway_drift.service.store.targets import of_models
from leeway_drift.service.tallies import Tallies
from leeway_drift.streaming.persistence import Persistence

LEAST_SHOWN = 50
"""Labels below which a metric is not told: it would be noise with decimals."""

_REFRESH_SECONDS = 30
_AGEING_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Performance:
    """How well one version predicted, over one cohort.

    Attributes:
        version: the version.
        target: what it predicts; None if nobody said, and then nothing is measured.
        age: of the cohort, in seconds.
        start: time of its first prediction; None if it has none.
        predictions: in the cohort's time, labelled or not.
        labels: in the cohort.
        coverage: labels per prediction; None without predictions.
        delays: median and 90th percentile in seconds from prediction to label; None without labels.
        metrics: by name; empty below ``LEAST_SHOWN`` labels.
        reason: why there are no metrics; None if there are.
    """

    version: Stream
    target: Target | None
    age: float
    start: datetime | None
    predictions: int
    labels: int
    coverage: float | None
    delays: tuple[float, float] | None
    metrics: dict[str, float]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Score:
    """The latest of a version.

    Attributes:
        performance: of the newest labels that make a window.
        concept: the latest judgement.
        detected: whether it persists.
        recent: verdicts of the last windows, oldest first.
        calibration_gap_ratio: the calibration gap over what is allowed, 1 is the limit; None if it cannot be told.
    """

    performance: Performance
    concept: Judgement
    detected: bool
    recent: tuple[str, ...]
    calibration_gap_ratio: float | None


@dataclass(slots=True)
class _Watched:
    persistence: Persistence = field(default_factory=Persistence)
    judged_until: int = -1
    judgement: Judgement | None = None
    labels: int = -1
    ageing: Pace = field(default_factory=lambda: Pace(_AGEING_SECONDS))


class Scores:
    """Measures versions whose labels come, again and again.

    Args:
        database: holds the labels.
        tallies: says whose labels come.
        clock: the time now.
        profile_of: whose spread judges.
    """

    def __init__(
        self,
        database: Database,
        tallies: Tallies,
        clock: Callable[[], datetime],
        profile_of: Callable[[Stream], Profile | None],
    ) -> None:
        self._database = database
        self._tallies = tallies
        self._clock = clock
        self._profile_of = profile_of
        self._watched: dict[Stream, _Watched] = {}
        self._latest: dict[Stream, Score] = {}
        self._pace = Pace(_REFRESH_SECONDS)
        self._refreshing = threading.Lock()

    def latest(self) -> dict[Stream, Score]:
        """Of every version that is watched; read from any thread."""
        return self._latest

    def refresh(self) -> None:
        """Measure anew where labels came or some time has passed; cheap if nothing is due.

        Raises:
            StoreUnavailable: what was measured last stays.
        """
        with self._refreshing:
            self._refresh()

    def _refresh(self) -> None:
        now = self._clock()
        if not self._pace.due(now.timestamp()):
            return
        versions = self._tallies.versions()
        self._watched = {version: self._watched.get(version, _Watched()) for version in versions}
        latest = {version: score for version, score in self._latest.items() if version in versions}
        for version, tally in versions.items():
            watched, labels = self._watched[version], sum(tally.labels.values())
            if watched.ageing.due(now.timestamp()) or labels != watched.labels:
                latest[version] = self._score(version, watched, to_microseconds(now))
                watched.labels = labels
        self._latest = latest

    def measure(
        self, namespace: str, model: str, *, age: float | None, since: datetime | None, until: datetime | None
    ) -> list[Performance]:
        """Compare the versions of a model over cohorts of one age.

        Args:
            namespace: of the model.
            model: its name.
            age: in seconds; None takes the age by which nine of ten labels of all its versions had come.
            since: of the predictions; None for all that are stored.
            until: exclusive; None for now.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        now = to_microseconds(self._clock())
        first = 0 if since is None else to_microseconds(since)
        end = now + 1 if until is None else to_microseconds(until)
        with self._database.read() as connection:
            known = {
                version: entry.target
                for version, entry in of_models(connection, [model]).items()
                if version.namespace == namespace
            }
            labelled = {
                version: reading.labelled(connection, version, target, first, end)
                for version, target in known.items()
                if target is not None
            }
        if age is None:
            delays = [rows.delays for rows in labelled.values()]
            age = usual_age(np.concatenate(delays) if delays else np.empty(0))
        return [
            self._performance(
                version,
                (target, labelled.get(version)),
                age=age,
                since=first,
                until=min(end, before(age, now)),
            )
            for version, target in sorted(known.items(), key=lambda item: item[0].version)
        ]

    def labelled(self, version: Stream) -> tuple[Target | None, Labelled | None]:
        """What a version predicts and its newest labels; None if nobody said, or nothing is stored.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        with self._database.read() as connection:
            known = of_models(connection, [version.model]).get(version)
            target = known.target if known is not None else None
            if target is None:
                return None, None
            return target, reading.labelled(connection, version, target, 0, to_microseconds(self._clock()) + 1)

    def _performance(
        self, version: Stream, predicted: tuple[Target | None, Labelled | None], *, age: float, since: int, until: int
    ) -> Performance:
        """Of the cohort of predictions in ``[since, until)``, cut from all labelled ones."""
        target, rows = predicted
        if target is None or rows is None:
            reason = "what it predicts is not known: no manifest, and no output named probabilities or prediction"
            return Performance(version, None, age, None, 0, 0, None, None, {}, reason)
        chosen = cohort(rows, age, until)
        if rows.count >= reading.MAX_LABELS:  # older ones were not read: the cohort begins where reading stopped
            since = max(since, int(rows.times.min()))
        with self._database.read() as connection:
            predictions = reading.count(connection, version, since, until)
        enough = chosen.count >= LEAST_SHOWN
        return Performance(
            version=version,
            target=target,
            age=age,
            start=to_time(int(chosen.times.min())) if chosen.count else None,
            predictions=predictions,
            labels=chosen.count,
            coverage=min(1.0, chosen.count / predictions) if predictions else None,
            delays=(float(np.median(chosen.delays)), float(np.quantile(chosen.delays, 0.9))) if chosen.count else None,
            metrics=performance(target, chosen.scores, chosen.labels) if enough else {},
            reason=None if enough else f"{chosen.count} labels of old enough predictions, needs {LEAST_SHOWN}",
        )

    def _score(self, version: Stream, watched: _Watched, now: int) -> Score:
        profile = self._profile_of(version)
        detector = ConceptDetector(
            spread=profile.performance if profile is not None else {},
            window_rows=profile.window_rows if profile is not None else 0,
            calibrated=profile is not None and profile.calibrated,
        )
        target, rows = self.labelled(version)
        age = usual_age(rows.delays) if rows is not None else 0.0
        old_enough = cohort(rows, age, before(age, now)) if rows is not None else None
        newest = old_enough.newest(detector.window_labels) if old_enough is not None else None
        start = int(newest.times.min()) if newest is not None and newest.count else 0
        measured = self._performance(version, (target, newest), age=age, since=start, until=before(age, now))
        judgement = self._judge(detector, watched, target, old_enough, profile)
        gaps = [column.score_ratio for column in judgement.columns if column.name == "calibration_gap"]
        return Score(
            performance=measured,
            concept=judgement,
            detected=watched.persistence.detected(detector.name),
            recent=tuple(watched.persistence.recent),
            calibration_gap_ratio=gaps[0] if gaps else None,
        )

    def _judge(
        self,
        detector: ConceptDetector,
        watched: _Watched,
        target: Target | None,
        rows: Labelled | None,
        profile: Profile | None,
    ) -> Judgement:
        """Judge every window that has closed since; without one, the last judgement still stands."""
        if profile is None:
            return detector.insufficient("no profile of this version is known")
        if target is None or rows is None:
            return detector.insufficient("what the version predicts is not known")
        for window in closed_windows(rows, detector.window_labels, watched.judged_until):
            watched.judgement = detector.judge(performance(target, window.scores, window.labels), window.count)
            watched.persistence.note(watched.judgement)
            watched.judged_until = int(window.times.max())
        if watched.judgement is None:
            return detector.judge({}, rows.count)
        return watched.judgement
