"""From what the engine has published to the status document."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from leeway_drift.counting.counts import ColumnCounts, ColumnPlan, Counts
from leeway_drift.detectors.interface import Reference, Verdict
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Kind, Stream
from leeway_drift.service.feedback_models import VersionPerformance
from leeway_drift.service.models import (
    ClosedWindowAnswer,
    ColumnAnswer,
    DetectorAnswer,
    DistributionAnswer,
    DistributionsAnswer,
    ModelStatus,
    OpenWindowAnswer,
    PastWindowAnswer,
    ProfileAnswer,
    VersionStatus,
    WindowLength,
)
from leeway_drift.service.profiles import ProfileState
from leeway_drift.service.scores import Score
from leeway_drift.service.views import View, Views
from leeway_drift.streaming.judging import Judged, Key, Past, insufficient

CONCEPT: Key = ("concept", Reference.TRAINING)


def judged_with_concept(view: View, score: Score | None) -> Mapping[Key, Judged]:
    """Last words of all detectors of a stream: the one on labels is judged apart, where the labels are.

    Args:
        view: of the stream.
        score: what labels say of it; None as long as no prediction of it is kept.
    """
    if view.drill is not None:
        return view.judged  # nobody labels a drill
    if score is None:
        return {**view.judged, CONCEPT: Judged(insufficient(CONCEPT, "no predictions are kept to be labelled"), None)}
    recent = tuple(Verdict(verdict) for verdict in score.recent)
    return {**view.judged, CONCEPT: Judged(score.concept, None, recent, score.detected)}


class StatusSource:
    """The status of everything, from the views at the moment it is asked.

    Args:
        views: what was published last.
        scores: what labels say.
    """

    def __init__(self, views: Callable[[], Views], scores: Callable[[], Mapping[Stream, Score]]) -> None:
        self._views = views
        self._scores = scores

    def models(self) -> Sequence[tuple[str, str]]:
        """Namespace and name of every model that has a stream."""
        return sorted({(stream.namespace, stream.model) for stream in self._views().streams})

    def status(self, namespace: str, model: str) -> dict[str, Any] | None:
        """The document of a model with distributions, None for an unknown model."""
        answer = self.model(namespace, model, distributions=True)
        return None if answer is None else answer.model_dump(mode="json")

    def model(self, namespace: str, model: str, *, distributions: bool = False) -> ModelStatus | None:
        """Of all versions of a model, None for an unknown model."""
        views = [
            view
            for stream, view in sorted(self._views().streams.items(), key=lambda item: item[0].version)
            if (stream.namespace, stream.model) == (namespace, model)
        ]
        if not views:
            return None
        versions = [self._version(view, distributions=distributions) for view in views]
        return ModelStatus(namespace=namespace, model=model, versions=versions)

    def version(self, stream: Stream, *, drill: str | None = None, distributions: bool = False) -> VersionStatus | None:
        """Of one version, or of a drill on it; None if it is unknown."""
        views = self._views()
        view = views.streams.get(stream) if drill is None else views.drills.get(drill)
        if view is None or view.stream != stream:
            return None
        return self._version(view, distributions=distributions)

    def _version(self, view: View, *, distributions: bool) -> VersionStatus:
        loaded = view.profile.loaded
        score = None if view.drill is not None else self._scores().get(view.stream)
        return VersionStatus(
            namespace=view.stream.namespace,
            model=view.stream.model,
            version=view.stream.version,
            drill=view.drill,
            profile=_profile(view.profile),
            events=_events(view),
            coverage=view.coverage,
            open_window=_open_window(view),
            detectors=[_detector(judged) for judged in judged_with_concept(view, score).values()],
            history=[_past(past) for past in view.history],
            performance=None if score is None else VersionPerformance.of(score.performance),
            distributions=_distributions(view, loaded.profile) if distributions and loaded is not None else None,
        )


def _profile(known: ProfileState) -> ProfileAnswer:
    loaded = known.loaded
    profile = None if loaded is None else loaded.profile
    return ProfileAnswer(
        state=known.state,
        reason=known.reason,
        digest=None if loaded is None else loaded.digest,
        calibrated=None if profile is None else profile.calibrated,
        method=None if profile is None else profile.method,
        window=None if profile is None else WindowLength(rows=profile.window_rows, seconds=profile.window_seconds),
        target_false_alarms_per_30_days=None if profile is None else profile.target_false_alarms_per_30_days,
    )


def _events(view: View) -> dict[str, dict[str, int]]:
    events: dict[str, dict[str, int]] = {kind.value: {} for kind in Kind}
    for (kind, outcome), count in view.outcomes.items():
        events[kind][outcome] = count
    return events


def _open_window(view: View) -> OpenWindowAnswer | None:
    if view.open is None:
        return None
    return OpenWindowAnswer(
        rows=0 if view.open.counts is None else view.open.counts.rows,
        start=view.open.start,
        needed_rows=view.open.needed_rows,
        needed_seconds=view.open.needed_seconds,
    )


def _detector(judged: Judged) -> DetectorAnswer:
    judgement = judged.judgement
    window = None
    if judged.window is not None:
        start, end, rows = judged.window
        window = ClosedWindowAnswer(start=start, end=end, rows=rows)
    return DetectorAnswer(
        detector=judgement.detector,
        reference=judgement.reference,
        verdict=judgement.verdict,
        score_ratio=judgement.score_ratio,
        calibrated=judgement.calibrated,
        detected=judged.detected,
        reason=judgement.reason,
        window=window,
        recent=list(judged.recent),
        columns=[
            ColumnAnswer(
                name=column.name,
                statistics={name: value for name, value in column.statistics.items() if np.isfinite(value)},
                score_ratio=column.score_ratio,
            )
            for column in judgement.columns
        ],
    )


def _past(past: Past) -> PastWindowAnswer:
    return PastWindowAnswer(
        start=past.start,
        end=past.end,
        rows=past.rows,
        detected=[name_of(key) for key in past.detected],
        ratios={name_of(key): ratio for key, ratio in past.ratios.items()},
    )


def name_of(key: Key) -> str:
    """``detector/reference``."""
    return f"{key[0]}/{key[1]}"


def _distributions(view: View, profile: Profile) -> DistributionsAnswer | None:
    now: Counts | None = None
    if view.latest is not None:
        now = view.latest.counts
    elif view.open is not None:
        now = view.open.counts
    if now is None:
        return None
    reference = profile.reference
    return DistributionsAnswer(
        features=_columns(profile.plan.features, reference.features, now.features),
        outputs=_columns(profile.plan.outputs, reference.outputs, now.outputs),
    )


def _columns(
    plans: Mapping[str, ColumnPlan], reference: Mapping[str, ColumnCounts], now: Mapping[str, ColumnCounts]
) -> dict[str, DistributionAnswer]:
    return {name: _distribution(plan, reference[name], now[name]) for name, plan in plans.items()}


def _distribution(plan: ColumnPlan, reference: ColumnCounts, now: ColumnCounts) -> DistributionAnswer:
    return DistributionAnswer(
        kind="categorical" if plan.edges is None else "numeric",
        edges=None if plan.edges is None else [float(edge) for edge in plan.edges],
        categories=list(plan.categories) if plan.edges is None else None,
        reference=reference.bins.tolist(),
        now=now.bins.tolist(),
        reference_nulls=reference.nulls,
        now_nulls=now.nulls,
    )
