"""Registering drills: traffic that is watched apart."""

import secrets

from leeway_drift.reading.events import Stream
from leeway_drift.service.engine import Engine
from leeway_drift.service.models import DrillAnswer, DrillRequest
from leeway_drift.streaming.drills import request_id_prefix


def begin(engine: Engine, request: DrillRequest) -> DrillAnswer | None:
    """Register a drill, None if its version is unknown; by the engine's thread.

    Raises:
        TooManyDrills: there are enough.
    """
    detector = engine.detector
    stream = Stream(request.namespace, request.model, request.version)
    if detector.streams.get(stream) is None:
        return None
    name = secrets.token_hex(16)
    drill = detector.drills.begin(
        name,
        stream,
        start=request.start.timestamp(),
        speed=request.speed,
        now=detector.clock(),
        lateness=detector.lateness,
    )
    rules = engine.rules(stream)
    if rules is not None:
        drill.state.watch(rules)
    engine.publish()
    return DrillAnswer(drill=name, request_id_prefix=request_id_prefix(name))
