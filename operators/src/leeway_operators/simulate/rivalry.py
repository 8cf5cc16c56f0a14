"""The shipped tests beside other rules, on the same traffic."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leeway_operators.simulate.bars import DAY, HOUR, IMPATIENT, SHIPPED, asked, begin, two_versions
from leeway_operators.simulate.batch import harmed_at
from leeway_operators.simulate.rivals import Flagger, GrowthBook, PeekedZ
from leeway_operators.simulate.traffic import constant, jump
from leeway_operators.simulate.watching import Answer, Scenario, quantile, watch

RULES = ("Leeway, alpha 0.01", "Leeway, alpha 0.05", "Flagger, 99 %, 5 failed", "peeked z, 0.05", "GrowthBook, 0.05")


@dataclass(frozen=True, kw_only=True)
class Contest:
    """One setting for all rules.

    Attributes:
        what: is the case.
        good: whether the candidate is as good as stable, so that each rollback is wrong.
        scenario: the traffic.
    """

    what: str
    good: bool
    scenario: Scenario


@dataclass(frozen=True, kw_only=True)
class Score:
    """How one rule did.

    Attributes:
        rolled_back: share of the rollouts.
        promoted: share; None: the rule says nothing of that.
        requests: of the candidate until rollback, median of all rollouts; infinite: less than half were rolled back.
        seconds: likewise.
    """

    rolled_back: float
    promoted: float | None
    requests: float
    seconds: float


def contests() -> Sequence[Contest]:
    """The settings."""

    def case(what: str, rps: float, stable: float, candidate: float, *, hours: float, burst: float = 0.0) -> Contest:
        traffic = two_versions(rps, constant(stable), constant(candidate), burst)
        return Contest(what=what, good=candidate <= stable, scenario=Scenario(traffic=traffic, duration=hours * HOUR))

    drift = two_versions(100, jump(0.001, 0.1, 450.0), jump(0.001, 0.1, 450.0))
    return [
        case("equal, 0.1 % errors, 100/s, 24 h", 100, 0.001, 0.001, hours=DAY / HOUR),
        case("equal, 1 % errors, 10/s, 24 h", 10, 0.01, 0.01, hours=DAY / HOUR),
        case("equal, 1 % errors, 100/s, 24 h", 100, 0.01, 0.01, hours=DAY / HOUR),
        case("equal, 5 % errors, 10/s, 24 h", 10, 0.05, 0.05, hours=DAY / HOUR),
        case("better, 3 % instead of 5 % errors, 100/s, 6 h", 100, 0.05, 0.03, hours=6),
        case("equal, 1 % errors in bursts (ICC 0.1), 100/s, 6 h", 100, 0.01, 0.01, hours=6, burst=0.1),
        Contest(
            what="both from 0.1 % to 10 % errors at 7.5 min, 100/s, 1 h",
            good=True,
            scenario=Scenario(traffic=drift, duration=HOUR),
        ),
        case("worse, 1.1 % instead of 0.1 % errors, 1/s, 6 h", 1, 0.001, 0.011, hours=6),
        case("worse, 2 % instead of 1 % errors, 100/s, 6 h", 100, 0.01, 0.02, hours=6),
        case("worse, 6 % instead of 1 % errors, 10/s, 2 h", 10, 0.01, 0.06, hours=2),
        case("worse, 6 % instead of 1 % errors, 100/s, 2 h", 100, 0.01, 0.06, hours=2),
    ]


def compete(contest: Contest, rollouts: int, rng: np.random.Generator) -> list[Score]:
    """Show all rules the same traffic; a score for each of `RULES`."""
    patient, impatient, back, promoted, z, growthbook = watch(
        contest.scenario,
        [
            asked(begin("errors"), harmed_at(SHIPPED), harmed_at(IMPATIENT))(rollouts),
            Flagger.of(rollouts),
            PeekedZ.of(rollouts),
            GrowthBook.of(rollouts),
        ],
        rollouts=rollouts,
        rng=rng,
    )
    return [_score(patient), _score(impatient), _score(back, promoted), _score(z), _score(growthbook)]


def _score(answer: Answer, promoted: Answer | None = None) -> Score:
    return Score(
        rolled_back=answer.count / answer.of,
        promoted=promoted.count / promoted.of if promoted is not None else None,
        requests=quantile(answer.requests, 0.5),
        seconds=quantile(answer.seconds, 0.5),
    )
