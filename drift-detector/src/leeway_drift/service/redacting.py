"""From a prediction to what may be kept of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from leeway_drift.columns import Rows
from leeway_drift.labels.feedback import is_key
from leeway_drift.labels.privacy import Handling, Redaction
from leeway_drift.labels.records import Prediction
from leeway_drift.labels.target import target_of
from leeway_drift.profile import Profile
from leeway_drift.reading.events import Stream
from leeway_drift.service.store.tables import to_microseconds
from leeway_drift.service.store.targets import Known
from leeway_drift.service.store.writing import Redacted


def redacted(
    prediction: Prediction, manifest: Mapping[str, Any] | None, profile: Profile | None, salt: bytes
) -> Redacted:
    """Bring a prediction into the form in which it is stored.

    Args:
        prediction: a joined request and response.
        manifest: says what may be kept of the inputs; nothing without one.
        profile: whose bins stand for inputs of which only those may be kept.
        salt: secret key of hashed inputs.
    """
    handling = Handling.of(manifest)
    outputs, features = prediction.outputs, prediction.features
    edges = {} if profile is None else profile.plan.features
    binned = {name: plan.edges for name, plan in edges.items() if plan.edges is not None}
    redaction = Redaction(handling, binned, salt)
    if features is None or features.count != outputs.count or not handling.inputs:
        entities: Sequence[str | None] = [None] * outputs.count
        inputs: Sequence[str | None] = [None] * outputs.count
    else:
        entities, inputs = redaction.entities(features), _json(redaction.inputs(features))
    return Redacted(
        version=Stream(prediction.namespace, prediction.model, prediction.version),
        known=Known.of(target_of(manifest, (*outputs.numeric, *outputs.categorical)), handling),
        declared=manifest is not None,
        slot=prediction.slot,
        event_id=prediction.event_id,
        time=to_microseconds(prediction.time),
        request_id=prediction.request_id,
        response_id=prediction.response_id if is_key(prediction.response_id) else None,
        entities=entities,
        inputs=inputs,
        outputs=_json(_by_row(outputs)),
    )


def _by_row(rows: Rows) -> list[dict[str, object]]:
    names = (*rows.numeric, *rows.categorical)
    table = [*rows.numbers.T, *rows.strings.T]
    return [dict(zip(names, values, strict=True)) for values in zip(*table, strict=True)]


def _json(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """float32 in its fewest digits; NaN and infinity are null, since JSON knows neither."""
    return [_dumped(row) for row in rows]


def _dumped(row: Mapping[str, object]) -> str:
    try:
        return orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except orjson.JSONEncodeError:  # half a surrogate pair: a client's JSON can say it, UTF-8 cannot
        legible = {
            name: value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
            for name, value in row.items()
        }
        return orjson.dumps(legible, option=orjson.OPT_SERIALIZE_NUMPY).decode()
