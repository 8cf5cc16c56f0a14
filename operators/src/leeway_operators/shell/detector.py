"""The drift detector's closed ticks, as it tells them; `core.comparing` judges what they are worth."""

import math
from typing import Any

from leeway_operators.core.evidence import DetectorReading, Missing, Question
from leeway_operators.core.model import Rollout
from leeway_operators.shell.source import Source, SourceError

# The detector keeps an hour of ticks of ten seconds; its tokens are short.
_MOST_TICKS = 1000
_LONGEST_TOKEN = 100


class Detector:
    """Reads `/v1/compare`."""

    def __init__(self, source: Source | None) -> None:
        """Without a source every reading is missing."""
        self._source = source

    def read(self, rollout: Rollout, question: Question) -> DetectorReading | Missing:
        """What it has to tell since the question's cursor."""
        if self._source is None:
            return Missing(reason="the operator was told of no drift detector (--detector-url)")
        path = f"v1/compare/{rollout.namespace}/{rollout.name}"
        try:
            answer = self._source.look().get(path, {"candidate": question.candidate, "cursor": question.cursor})
            return _reading(answer)
        except SourceError as error:
            return Missing(reason=str(error))


def _reading(answer: dict[str, Any]) -> DetectorReading:
    coverage, ticks = answer.get("coverage"), answer.get("ticks")
    if not isinstance(coverage, dict) or not isinstance(ticks, list) or len(ticks) > _MOST_TICKS:
        raise SourceError("the drift detector's answer has no coverage and no ticks: is the URL right?")
    if not all(isinstance(tick, dict) for tick in ticks):
        raise SourceError("the drift detector's answer has a tick that is no object")
    shares = {role: share for role, share in coverage.items() if share is not None}
    if not all(type(share) in (int, float) and math.isfinite(share) and share >= 0 for share in shares.values()):
        raise SourceError(f"the drift detector's coverage is no share: {str(coverage)[:100]}")
    return DetectorReading(
        epoch=_token(answer, "epoch"), cursor=_token(answer, "cursor"), coverage=shares, ticks=tuple(ticks)
    )


def _token(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_TOKEN:
        raise SourceError(f"the drift detector's {name} is no short text: {str(value)[:40]!r}")
    return value
