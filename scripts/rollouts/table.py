"""The table of `make prove`: what each rollout came to, every miss, and what Flagger's rule made of the same record."""

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rollouts.cases import FAULTS, Case

_HEAD = (
    "| rollout | fault | requests/s | scrape | verdict | seconds | candidate's requests | failed: all, candidate's |"
    " Flagger's rule |"
)

_NOTES = (
    "Seconds count from the candidate's first traffic. `Undecided` of Flagger's rule: the rollout was over before the"
    " rule had decided. The rule: at least 99 % without 5xx in the last minute, checked every 30 s, five failed checks"
    " roll back, five passed ones promote (`scripts/rollouts/flagger.py`)."
)


@dataclass(frozen=True)
class Result:
    """What one rollout came to.

    Attributes:
        case: which.
        verdict: the outcome; Undecided if it had none in time.
        reason: of it, or why it is held.
        seconds: from the candidate's first traffic to the verdict; NaN if it never had any.
        candidate_requests: answered by the candidate, seen by the client.
        failed: requests of the client without a prediction, from the release on.
        candidate_failed: of them, those that the candidate answered.
        flagger: verdict of the rule, and in `flagger_seconds` when.
        flagger_seconds: from the candidate's first traffic to the rule's verdict, or to the end of the record.
        flagger_checks: failed checks and all checks.
    """

    case: Case
    verdict: str
    reason: str
    seconds: float
    candidate_requests: int
    failed: int
    candidate_failed: int
    flagger: str
    flagger_seconds: float
    flagger_checks: tuple[int, int]

    @property
    def expected(self) -> str:
        """What it should have come to."""
        return "RolledBack" if self.case.kind else "Promoted"

    @property
    def miss(self) -> str | None:
        """What went wrong; None if nothing did."""
        if self.verdict == self.expected:
            return None
        return f"{self.case.name}: {self.verdict} ({self.reason}), expected {self.expected}"

    def document(self) -> dict[str, Any]:
        """As JSON; a number that is none is null."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }


def result_of(document: Mapping[str, Any]) -> Result:
    """Read what `document` wrote."""
    numbers = {key: math.nan if document[key] is None else document[key] for key in ("seconds", "flagger_seconds")}
    failed, checks = document["flagger_checks"]
    return Result(
        **{**document, **numbers, "case": Case(**document["case"]), "flagger_checks": (failed, checks)},
    )


def markdown(results: Iterable[Result], *, how: str) -> str:
    """Write the page.

    Args:
        results: of all rollouts that ended.
        how: where and when they ran, in a sentence.
    """
    ordered = sorted(results, key=lambda one: (bool(one.case.kind), one.case.kind, one.case.rate, one.case.scrape))
    misses = [result.miss for result in ordered if result.miss]
    lines = [
        "# Real rollouts: `make prove`",
        "",
        how,
        "",
        *_summary(ordered),
        "",
        _HEAD,
        "|" + "---|" * (_HEAD.count("|") - 1),
        *(_row(result) for result in ordered),
        "",
        _NOTES,
        "",
        "## Misses",
        "",
        *(f"- {miss}" for miss in misses),
    ]
    if not misses:
        lines.append("None.")
    return "\n".join(lines) + "\n"


def _summary(results: Sequence[Result]) -> Iterator[str]:
    same = [result for result in results if not result.case.kind]
    faulty = [result for result in results if result.case.kind]
    yield f"- {len(same)} rollouts of a version as good as the stable one: {_counts(same)}; {_flagger(same)}."
    yield f"- {len(faulty)} rollouts of a version with a fault: {_counts(faulty)}; {_flagger(faulty)}."
    for kind in FAULTS:
        caught = [result for result in faulty if result.case.kind == kind and result.verdict == "RolledBack"]
        if caught:
            seconds = statistics.median(result.seconds for result in caught)
            requests = statistics.median(result.candidate_requests for result in caught)
            yield f"- `{FAULTS[kind]}` was caught after {seconds:.0f} s and {requests:.0f} requests (medians)."


def _counts(results: Sequence[Result]) -> str:
    return _listed([result.verdict for result in results])


def _flagger(results: Sequence[Result]) -> str:
    return f"Flagger's rule: {_listed([result.flagger for result in results])}"


def _listed(verdicts: Sequence[str]) -> str:
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts))) or "none"


def _row(result: Result) -> str:
    case, (failed, checks) = result.case, result.flagger_checks
    seconds = "-" if math.isnan(result.seconds) else f"{result.seconds:.0f}"
    when = "-" if math.isnan(result.flagger_seconds) else f"{result.flagger_seconds:.0f}"
    mark = "" if result.miss is None else " **miss**"
    return (
        f"| {case.name} | {case.fault or 'none'} | {case.rate} | {case.scrape} s | {result.verdict}"
        f" ({result.reason}){mark} | {seconds} | {result.candidate_requests:,}"
        f" | {result.failed:,}, {result.candidate_failed:,}"
        f" | {result.flagger} after {when} s, {failed} of {checks} checks failed |"
    )
