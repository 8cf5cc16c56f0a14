"""What happens at one look, and what is told of it: decisions, Events, and the records of attempts that end."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from leeway_operators.core import records
from leeway_operators.core.actions import Action, DeleteRecord, Emit, WriteRecord
from leeway_operators.core.judge import attempt_key
from leeway_operators.core.model import Arm, Decision, Outcome, Record, Rollout, Status
from leeway_operators.evidence.findings import Finding

# Of an attempt's decisions: how it began, and what happened last.
FIRST_DECISIONS, LAST_DECISIONS = 10, 40
RECORDS_KEPT = 10


@dataclass(frozen=True)
class Turn:
    """A status on its way, and what is told before it is written.

    Telling comes first, so that a crash in between tells it once more and not never: an Event has a key, and a record
    a name, that are made from what was remembered, and so are the same ones again.
    """

    rollout: Rollout
    status: Status
    now: datetime
    told: tuple[Action, ...] = field(default=())

    def having(self, **changes: Any) -> "Turn":
        """With another status."""
        return replace(self, status=replace(self.status, **changes))

    def telling(self, *actions: Action) -> "Turn":
        """With more to tell."""
        return replace(self, told=(*self.told, *actions))

    def decided(
        self, what: str, why: str, *, arm: Arm, weight: int, findings: Iterable[Finding] = (), warning: bool = False
    ) -> "Turn":
        """With one more decision of the attempt of `arm`, which is an Event too."""
        before = self.status.decisions
        decision = Decision(time=self.now, what=what, weight=weight, why=why, findings=tuple(findings))
        mark = f"{len(before)}/{before[-1].time.isoformat()}" if before else "0"
        message = f"version {arm.release.version} (revision {arm.release.revision}): {why}"
        event = Emit(
            key=f"{attempt_key(arm, what)}/{mark}",
            type="Warning" if warning else "Normal",
            reason=what,
            message=message,
        )
        kept = (*before, decision)
        if len(kept) > FIRST_DECISIONS + LAST_DECISIONS:
            kept = (*kept[:FIRST_DECISIONS], *kept[-LAST_DECISIONS:])
        return self.having(decisions=kept).telling(event)

    def ended(
        self, arm: Arm, outcome: Outcome, reason: str, why: str, *, weight: int, findings: Iterable[Finding] = ()
    ) -> "Turn":
        """With the attempt of `arm` finished and recorded."""
        history = self.status.history
        record = Record(
            number=history[0].number + 1 if history else 1,
            version=arm.release.version,
            revision=arm.release.revision,
            slot=arm.slot,
            outcome=outcome,
            reason=reason,
            time=self.now,
        )
        turn = self.decided(outcome, why, arm=arm, weight=weight, findings=findings, warning=outcome == "RolledBack")
        turn = replace(turn, status=turn.status.recorded(record))
        turn = turn.telling(WriteRecord(body=records.config_map(self.rollout, turn.status, record)))
        old = record.number - RECORDS_KEPT
        return turn.telling(DeleteRecord(name=records.name_of(self.rollout.name, old))) if old > 0 else turn
