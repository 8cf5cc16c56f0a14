"""What the operator reads is what is documented: the example, and that a real answer has its shape."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leeway_drift.service.models import CompareAnswer
from leeway_drift.service.profiles import ProfileSource
from tests.watching import FLIGHTS, Bundle, Clock, headers, profile, request, response, serving, settled

EXAMPLE = json.loads((Path(__file__).parents[2] / "schemas" / "examples" / "compare.json").read_text())


def test_the_example_is_an_answer_and_nothing_more():
    assert CompareAnswer.model_validate(EXAMPLE).model_dump(mode="json") == EXAMPLE


def shape(value: Any, *, named: bool = False) -> Any:
    """Keys of objects; where keys are names, that of the first alone."""
    if isinstance(value, dict):
        parts = {key: shape(part, named=key in ("outputs", "features")) for key, part in value.items()}
        return next(iter(parts.values())) if named else parts
    if isinstance(value, list):
        return [shape(value[0])] if value and not isinstance(value[0], int) else []
    return None


def test_an_answer_has_the_shape_of_the_example(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (service, client):
        for slot in ("a", "b"):
            attributes = {"slot": slot, "at": clock.now, "ce-endpoint": FLIGHTS.version}
            client.post("/", headers=headers("profiled", **attributes), content=request([1.0]))
        settled(service)
        load(service, tmp_path)
        for number, slot in enumerate(("a", "b")):
            attributes = {"slot": slot, "at": clock.now, "request_id": "mirrored"}
            client.post("/", headers=headers(number, **attributes), content=request([1.0]))
            client.post("/", headers=headers(number, kind="response", **attributes), content=response([0.5]))
            service.engine.add_loss(FLIGHTS, slot, 0.25, datetime.fromtimestamp(clock.now, UTC))
        settled(service)
        clock.now += 20
        settled(service)
        answer = client.get("/v1/compare/models/flights", params={"candidate": "b"}).json()
    assert shape(answer) == shape(EXAMPLE)


def load(service: Any, directory: Path) -> None:
    bundle = Bundle({"drift-profile.json": profile()})
    source = ProfileSource(bundle, directory / "profiles", with_reference=False)
    service.engine.set_profile(FLIGHTS, source.load(FLIGHTS, "flights-a"))
    settled(service)
