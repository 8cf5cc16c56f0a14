"""A detector that is told to watch many versions counts the predictions and labels of each of them."""

from pathlib import Path

from leeway_drift.labels.joins import Outcome
from leeway_drift.reading.events import Stream
from leeway_drift.service.predictions import PredictionLog
from tests.watching import Clock, serving

VERSIONS = 100
"""More than are watched by default."""


def test_labels_of_every_watched_version_are_counted(tmp_path: Path):
    with serving(tmp_path, Clock(), store={"enabled": True}, streams=VERSIONS) as (service, _):
        log = service.engine.log
        assert isinstance(log, PredictionLog)
        for number in range(VERSIONS):
            log.tallies.label(Stream("models", "flights", f"{number}"), Outcome.ACCEPTED)
        counted = log.tallies.versions()
    assert [tally.labels[Outcome.ACCEPTED] for tally in counted.values()] == [1] * VERSIONS
