"""What became of a drill; pure."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from drill.alerts.catalog import Drill
from drill.alerts.mailbox import shown

Message = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """One drill, from its injection to its end.

    Attributes:
        alert: that was to fire.
        model_namespace: of the model that was hit; empty where it was none of its own.
        model: its name.
        promised: seconds from the injection within which the message was to be in Slack.
        fired: seconds from the injection to Prometheus' word that it fires; None if it did not.
        seconds: from the injection to the message in Slack; None if none came.
        resolved_seconds: from the undoing to the message of its end; None if none came, or none was awaited.
        title: of the message.
        text: of it.
        color: of it.
        actions: its buttons, text to address.
        subject_of_mail: of the mail beside it; empty if none came.
        gap: what is missing, in words; empty if nothing is.
    """

    alert: str
    model_namespace: str = ""
    model: str = ""
    promised: float = 0.0
    fired: float | None = None
    seconds: float | None = None
    resolved_seconds: float | None = None
    title: str = ""
    text: str = ""
    color: str = ""
    actions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    subject_of_mail: str = ""
    gap: str = ""

    def told(self, messages: Sequence[Message]) -> "Outcome":
        """The same with the first message of its firing, and the mail beside it."""
        titles = [one for one in shown(messages) if _says(one["title"], self.alert, self.model, "FIRING")]
        if not titles:
            return self
        first = titles[0]
        mails = (str(one["subject"]) for one in messages if one["by"] == "email")
        return dataclasses.replace(
            self,
            title=first["title"],
            text=first["text"],
            color=first["color"],
            actions={action["text"]: action["url"] for action in first["actions"]},
            subject_of_mail=next((one for one in mails if _says(one, self.alert, self.model, "FIRING")), ""),
        )

    def missing(self, gap: str) -> "Outcome":
        """The same, with a gap."""
        return dataclasses.replace(self, gap=gap)


def outcome_of(drill: Drill, **known: Any) -> Outcome:
    """Return what is known of a drill's outcome."""
    return Outcome(alert=drill.alert, model=drill.name, model_namespace=drill.name, **known)


def in_slack(drill: Drill, messages: Iterable[Message], state: str) -> bool:
    """Whether one of the messages says of the drill's alert that it is FIRING, or RESOLVED."""
    return any(_says(one["title"], drill.alert, drill.name, state) for one in shown(messages))


def _says(title: str, alert: str, model: str, state: str) -> bool:
    """Whether a title (charts/leeway/files/alertmanager/title.tmpl) says that of that alert."""
    of = f": {re.escape(model)}(?= |$)" if model else ""
    return re.match(rf"\[{state}(:\d+)?\] {alert}{of}(?![\w-])", title) is not None
