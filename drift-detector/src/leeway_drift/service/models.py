"""Answers of the API."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, Field

from leeway_drift.detectors.interface import Reference, Verdict
from leeway_drift.reading.events import Kind, Stream
from leeway_drift.service.feedback_models import VersionPerformance
from leeway_drift.streaming.streams import Recent

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""A drill at its highest speed then reaches the end of the calendar in a month, and not at its first event."""


class Acknowledgement(BaseModel):
    """The event was taken."""

    status: str = "ok"


class ErrorAnswer(BaseModel):
    """Every error of the API."""

    error: str = Field(description="What is wrong, where, and what was expected.")


class WindowAnswer(BaseModel):
    """The latest events of a version, without any of their values."""

    namespace: str
    model: str
    version: str
    type: Kind
    events: int = Field(description="How many these are.")
    rows: int = Field(description="Rows of these events.")
    columns: list[str] = Field(description="Names of the columns that any of these events had, in alphabetical order.")
    oldest: datetime | None = Field(description="When the logger saw the first of these events; null if there is none.")
    newest: datetime | None = Field(description="When the logger saw the last of these events; null if there is none.")
    request_ids: list[str] = Field(description="x-request-id of these events in order of arrival, where known.")

    @classmethod
    def of(cls, stream: Stream, kind: Kind, recent: Iterable[Recent]) -> Self:
        """Describe them."""
        events = list(recent)
        times = [event.time for event in events]
        names = {event.columns for event in events}
        return cls(
            namespace=stream.namespace,
            model=stream.model,
            version=stream.version,
            type=kind,
            events=len(events),
            rows=sum(event.rows for event in events),
            columns=sorted({name for numeric, categorical in names for name in (*numeric, *categorical)}),
            oldest=min(times, default=None),
            newest=max(times, default=None),
            request_ids=[event.request_id for event in events if event.request_id is not None],
        )


class WindowLength(BaseModel):
    """What a window needs, both of it."""

    rows: int
    seconds: float


class ProfileAnswer(BaseModel):
    """The version's drift profile, and whether the detector has it."""

    state: Literal["loaded", "absent", "refused", "pending"]
    reason: str | None = Field(description="Why it is not loaded; null if it is.")
    digest: str | None = Field(description="SHA-256 of drift-profile.json in hex.")
    calibrated: bool | None
    method: str | None
    window: WindowLength | None
    target_false_alarms_per_30_days: float | None


class OpenWindowAnswer(BaseModel):
    """The window that is being filled."""

    rows: int
    start: datetime | None
    needed_rows: int
    needed_seconds: float


class ClosedWindowAnswer(BaseModel):
    """The window a detector has judged."""

    start: datetime
    end: datetime
    rows: int


class ColumnAnswer(BaseModel):
    """What a detector measured on one feature, output or relation."""

    name: str
    statistics: dict[str, float]
    score_ratio: float | None


class DetectorAnswer(BaseModel):
    """A detector's last word."""

    detector: str
    reference: Reference
    verdict: Verdict
    score_ratio: float | None = Field(description="Score over its calibrated threshold; 1 is the threshold.")
    calibrated: bool
    detected: bool = Field(description="Whether there is an alarm: 2 of the last 3 judged windows over the threshold.")
    reason: str
    window: ClosedWindowAnswer | None
    recent: list[Verdict] = Field(description="Verdicts of the last judged windows, oldest first.")
    columns: list[ColumnAnswer]


class PastWindowAnswer(BaseModel):
    """A closed window of the history."""

    start: datetime
    end: datetime
    rows: int
    detected: list[str] = Field(description="Detectors with an alarm then, as detector/reference.")
    ratios: dict[str, float] = Field(description="Score ratio by detector/reference.")


class DistributionAnswer(BaseModel):
    """Counts of one column in the profile's bins."""

    kind: Literal["numeric", "categorical"]
    edges: list[float] | None
    categories: list[str] | None
    reference: list[int]
    now: list[int]
    reference_nulls: int
    now_nulls: int


class DistributionsAnswer(BaseModel):
    """Of the last closed window, or of the open one before there is any, against the profile's."""

    features: dict[str, DistributionAnswer]
    outputs: dict[str, DistributionAnswer]


class VersionStatus(BaseModel):
    """All that is known of one version."""

    namespace: str
    model: str
    version: str
    drill: str | None
    profile: ProfileAnswer
    events: dict[str, dict[str, int]] = Field(description="Since the start, by type and outcome.")
    coverage: float | None = Field(description="Rows seen over rows served in the same minutes; null if not known.")
    open_window: OpenWindowAnswer | None
    detectors: list[DetectorAnswer]
    history: list[PastWindowAnswer]
    performance: VersionPerformance | None = Field(description="From labels; null without any.")
    distributions: DistributionsAnswer | None


class ModelStatus(BaseModel):
    """All versions of one model that are watched."""

    namespace: str
    model: str
    versions: list[VersionStatus]


class WatchedModel(BaseModel):
    """A model that is watched."""

    namespace: str
    model: str


class MomentsAnswer(BaseModel):
    """Count, sum and sum of squares."""

    n: int
    sum: float
    sumsq: float


class LossesAnswer(MomentsAnswer):
    """Losses of predictions that were made in one minute."""

    served: datetime = Field(description="Begin of that minute, which is whole.")


class OutputAnswer(MomentsAnswer):
    """One column of the answers."""

    bounded: bool = Field(
        description="Whether these are probabilities: the version's manifest (or the column's name, without one) says "
        "so, and none of them lay outside of [0, 1]. Then 0 <= sumsq <= sum <= n."
    )


class QualityAnswer(BaseModel):
    """Rows of requests, and those with a missing, wrong, implausible or unlisted value."""

    n: int
    bad: int


class FeatureCountsAnswer(BaseModel):
    """Counts of one feature in the bins of the version's profile."""

    bins: list[int]
    nulls: int
    wrong: int


class ArmAnswer(BaseModel):
    """What one slot saw and said in one tick."""

    version: str
    profile: str | None = Field(description="Digest of the version's own profile, null without one.")
    requests: int = Field(description="0 in a tick in which labels alone came.")
    rows: int
    outputs: dict[str, OutputAnswer] = Field(description="By column, of finite values; without the label.")
    losses: list[LossesAnswer] = Field(
        description="Of predictions whose first label came in this tick and that were made in a tick in which both of "
        "the versions that answered side by side last had requests, by the minute in which they were made, ascending; "
        "each in [0, 1]: half the Brier score of a classification, the relative error of a regression. Versions "
        "compare within a minute, or over minutes in which they had the same shares of the traffic: over others, the "
        "one that had more of the worse minutes loses."
    )
    losses_dropped: int = Field(
        description="How many more there were, of minutes before these: a tick tells the latest 1,500 minutes."
    )
    quality: QualityAnswer
    cells: str | None = Field(
        description="Digest of the bins in which features are counted: they compare if both arms have the same. While "
        "two versions answer side by side these are, in both arms, the bins of the one whose profile is older. Null "
        "if rows could not be counted."
    )
    features: dict[str, FeatureCountsAnswer]


class PairsAnswer(BaseModel):
    """Rows answered by both slots, with the same x-request-id and inputs, by the tick of the second answer."""

    n: int = Field(description="Pairs of finite scores: the last output that is no label.")
    sum: float = Field(description="Of the score's differences, candidate minus stable.")
    sumsq: float
    bounded: bool = Field(description="Whether the scores are probabilities, and each difference is in [-1, 1].")
    labelled: int = Field(description="Pairs with a label in both answers.")
    flips: int = Field(description="Of these, labels that differ.")
    mismatched: int = Field(
        description="Requests whose x-request-id came in both slots with other inputs or another number of answers."
    )


class TickAnswer(BaseModel):
    """One closed tick."""

    start: datetime
    end: datetime
    arms: dict[Literal["candidate", "stable"], ArmAnswer]
    pairs: PairsAnswer


class CompareAnswer(BaseModel):
    """The closed ticks after a cursor, each of them once."""

    epoch: str = Field(
        description="Another one than before means a restart, or a clock that was set back: what was not fetched is "
        "lost, a gap."
    )
    cursor: str = Field(
        description="To be given next time. An answer that would be long ends early, and the next one goes on."
    )
    coverage: dict[Literal["candidate", "stable"], float | None] = Field(
        description="Rows seen over rows served in the last two minutes, 1 if none were; null if it is not known."
    )
    ticks: list[TickAnswer]


class DrillRequest(BaseModel):
    """A drill to be registered."""

    namespace: str
    model: str
    version: str
    start: Annotated[AwareDatetime, Field(ge=_EARLIEST, le=_LATEST)] = Field(
        description="Event time of the drill's first moment, RFC 3339 with its offset, from 1970 to 2100."
    )
    speed: float = Field(gt=0, le=100_000, description="Seconds of event time per second.", allow_inf_nan=False)


class DrillAnswer(BaseModel):
    """A drill that is on."""

    drill: str
    request_id_prefix: str = Field(description="What the x-request-id of its requests has to begin with.")
