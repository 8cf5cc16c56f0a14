"""The drills: which fault, in what, makes which alert fire; pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cluster import demo


class UnknownDrillError(ValueError):
    """There is no drill of that name; the message lists those that there are."""


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Clients of a model of its own begin to send something else.

    Attributes:
        rate: requests a second.
        rows: in each.
        fault: what they send, as drill.faults has it; empty: what they should.
        malformed: share of their requests that are malformed.
        accustomed: whether the detector has to have judged ordinary windows before.
    """

    rate: float
    rows: int = 1
    fault: str = ""
    malformed: float = 0.0
    accustomed: bool = False


@dataclass(frozen=True, kw_only=True)
class Server:
    """A model of its own has a server with a fault: from its beginning, and that it is asked lets it show.

    Attributes:
        fault: as FAULT of tests/faults has it.
        rate: requests a second.
        rows: in each.
        labels: whether true labels follow the predictions.
        accustomed: whether the detector has to have judged ordinary windows before: it is released later then.
    """

    fault: str
    rate: float
    rows: int = 1
    labels: bool = False
    accustomed: bool = False


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model of its own serves well, and a version whose server has a fault is released beside it.

    Attributes:
        fault: as FAULT of tests/faults has it.
        rate: requests a second.
    """

    fault: str
    rate: float


@dataclass(frozen=True, kw_only=True)
class Flood:
    """More events than the detector can take, again and again.

    Attributes:
        batches: of a thousand events each, a second.
        seconds: that a flood takes; another one follows at once until Prometheus sees that events were lost.
        pause: seconds from the end of one to the next, from then on.
    """

    batches: float
    seconds: float
    pause: float


@dataclass(frozen=True, kw_only=True)
class Verify:
    """What `leeway-verify --inject` knows.

    Attributes:
        of: the release that is hit: the platform's, or that of a model of its own.
    """

    of: Literal["platform", "model"] = "platform"


Injection = Clients | Server | Candidate | Flood | Verify


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One alert, made to fire.

    Attributes:
        alert: its name.
        fault: in words.
        minutes: that it takes, about, with word of its end.
        injection: how.
        notice: seconds from the injection until the alert's expression holds, at most; 0 where leeway-verify says it.
        name: of the model, of its release and of its namespace; empty where it needs none of its own.
        platform: whether the platform's release raises it, and not that of the model.
        resolves: whether its end is told.
        takes_down: whether other drills need what it takes away: it comes after them.
    """

    alert: str
    fault: str
    minutes: int
    injection: Injection
    notice: float = 0.0
    name: str = ""
    platform: bool = False
    resolves: bool = True
    takes_down: bool = False

    def in_run(self, run: str) -> "Drill":
        """The same with a model of that run's own: what earlier runs did to theirs is in nobody's last hour."""
        return dataclasses.replace(self, name=f"{self.name}-{run}") if self.name else self

    @property
    def labels(self) -> Mapping[str, str]:
        """What the alert has, so that another one of its name is not taken for it."""
        own = {"model": self.name, "model_namespace": self.name} if self.name else {}
        return {"alertname": self.alert, "namespace": self.raised_in, **own}

    @property
    def raised_in(self) -> str:
        """Namespace of the release whose rule it is."""
        return demo.NAMESPACE if self.platform else self.name


# Pods are scraped every ten seconds, and a rate takes two scrapes.
_SCRAPED = 60.0
# What burns a budget is recorded once a minute, and failures have to add up to ten.
_RECORDED = 150.0
# Two windows of ten seconds, each judged five seconds after its end, and a scrape; labels come later.
_JUDGED, _LABELLED = 120.0, 240.0
# Pods of a version that is released without steps.
_RELEASED = 90.0
# Floods that fill the detector's queue, and a scrape.
_OVERFLOWN = 120.0
# The candidate's pods, the requests that prove harm, and a scrape.
_ROLLED_BACK = 300.0

_DRILLS = (
    Drill(
        alert="ModelErrors", name="drill-errors", minutes=11, notice=_SCRAPED,
        fault="clients send 30 % of their requests malformed, and are answered 400",
        injection=Clients(rate=10, malformed=0.3),
    ),
    Drill(
        alert="ModelAvailabilityBurnFast", name="drill-failing", minutes=12, notice=_RECORDED,
        fault="a server answers 5 % of its requests with 500",
        injection=Server(rate=20, fault="errors=0.05"),
    ),
    Drill(
        alert="ModelLatencyBurnFast", name="drill-slow", minutes=12, notice=_RECORDED,
        fault="a server takes 400 ms longer for half of its requests",
        injection=Server(rate=2, fault="slow=0.5,delay=0.4"),
    ),
    Drill(
        alert="ModelNotLoaded", name="drill-unloaded", minutes=6,
        fault="the pods of a model are gone",
        injection=Verify(of="model"),
    ),
    Drill(
        alert="DriftAbrupt", name="drill-drift", platform=True, minutes=6, notice=_JUDGED,
        fault="clients send temperatures in °C where °F is expected",
        injection=Clients(rate=10, rows=20, fault="celsius", accustomed=True),
    ),
    Drill(
        alert="DataQuality", name="drill-quality", platform=True, minutes=4, notice=_JUDGED,
        fault="clients leave out 30 % of the temperatures",
        injection=Clients(rate=10, rows=20, fault="nulls"),
    ),
    Drill(
        alert="PredictionDrift", name="drill-flipped", platform=True, minutes=6, notice=_RELEASED + _JUDGED,
        fault="a server says late where it means in time, and the other way round",
        injection=Server(rate=10, rows=20, fault="labels=flipped", accustomed=True),
    ),
    Drill(
        alert="ModelDecay", name="drill-decay", platform=True, minutes=9, notice=_LABELLED,
        fault="a server says the opposite of what its labels say",
        injection=Server(rate=30, fault="labels=flipped", labels=True),
    ),
    Drill(
        alert="RolloutRolledBack", name="drill-rollback", platform=True, minutes=4, notice=_ROLLED_BACK, resolves=False,
        fault="a version is released that answers half of its requests with 500",
        injection=Candidate(rate=20, fault="errors=0.5"),
    ),
    Drill(
        alert="DetectorEventsLost", platform=True, minutes=24, notice=_OVERFLOWN,
        fault="the drift detector is sent more events than it can take",
        # A rate over ten minutes, for ten minutes: the next flood comes before this one is forgotten.
        injection=Flood(batches=100, seconds=15, pause=150),
    ),
    Drill(
        alert="TargetDown", platform=True, minutes=12,
        fault="pods are scraped in a way that they do not answer",
        injection=Verify(),
    ),
    Drill(
        alert="DetectorDown", platform=True, minutes=10, takes_down=True,
        fault="the drift detector is gone",
        injection=Verify(),
    ),
    Drill(
        alert="OperatorNotReconciling", platform=True, minutes=10, takes_down=True,
        fault="the operator is gone",
        injection=Verify(),
    ),
)  # fmt: skip
DRILLS: Mapping[str, Drill] = {drill.alert: drill for drill in _DRILLS}


def chosen(names: Sequence[str]) -> list[Drill]:
    """Return the drills of these names, or those of `all`; in the order of the catalog, each once.

    Raises:
        UnknownDrillError: one of them is none.
    """
    wanted = set(DRILLS if list(names) == ["all"] else names)
    if unknown := sorted(wanted - DRILLS.keys()):
        raise UnknownDrillError(
            f"{', '.join(unknown)}: no drill of that name; expected all, or one or more of {', '.join(DRILLS)}"
        )
    return [drill for drill in _DRILLS if drill.alert in wanted]
