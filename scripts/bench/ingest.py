"""How many events the detector takes in: from bytes to counts in closed ticks; prints a table. Run by make bench-drift.

An event is half of an inference of one row: a request of 9 numbers and 2 categories, or its answer. Parsed, checked,
known from duplicates, decoded, joined, counted in a profile's bins, judged where windows end. The HTTP server in front
of it and the store behind it are not in it.
"""

import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from leeway_drift.detectors.native import native_detectors
from leeway_drift.profile import Profile, build_profile
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.judging import Rules
from leeway_drift.streaming.limits import Limits

NUMERIC = tuple(f"number_{index}" for index in range(9))
LEVELS = {"origin": 3, "carrier": 16}
INFERENCES, ROUNDS, BATCH = 10_000, 7, 100
INFERENCES_PER_SECOND = 1000.0
START = 1_772_442_900.0
"""Of the first event, in seconds since the epoch."""
_TYPE = "org.kubeflow.serving.inference."


def main() -> None:
    """Take turns and print medians of CPU time."""
    random = np.random.default_rng(1)
    rules = _rules(random)
    events = [event for number in range(INFERENCES) for event in _inference(number, random)]
    ways = {
        "one by one, as KServe's logger sends them": [_binary_mode(event) for event in events],
        f"batches of {BATCH}, as Leeway's server sends them": _batches(events),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, messages in ways.items():
            taken[name].append(_seconds(rules, messages, len(events)))
    print("| events | CPU us per event | events/s per core |\n|---|---|---|")
    for name, times in taken.items():
        per_event = statistics.median(times) / len(events)
        print(f"| {name} | {per_event * 1e6:.1f} | {1 / per_event:,.0f} |")


def _seconds(rules: Rules, messages: Sequence[tuple[dict[str, str] | None, bytes]], events: int) -> float:
    """CPU time of taking all messages, in which the clock follows the events."""
    now = START
    detector = Detector(Limits(), lambda: now, lateness=5.0, loads=orjson.loads)
    began = time.process_time()
    for number, (headers, body) in enumerate(messages):
        now = START + number / len(messages) * INFERENCES / INFERENCES_PER_SECOND
        if headers is None:
            detector.intake.offer_batch(body)
        else:
            detector.intake.offer(detector.intake.admit(headers), body)
        if number == 0:  # the profile comes with the first event, as it would be fetched then
            detector.step(1)
            detector.streams.values()[0].watch(rules)
        if number % BATCH == 0:
            _take_all(detector)
    now += 60
    _take_all(detector)
    taken = time.process_time() - began
    accepted = sum(detector.streams.values()[0].outcomes.values())
    if len(detector.intake) or accepted != events:
        raise RuntimeError(f"{accepted} events of {events} were taken")
    return taken


def _take_all(detector: Detector) -> None:
    """Process what is queued, in steps as the engine takes them."""
    while detector.step(BATCH):
        pass
    detector.take_predictions()


def _inference(number: int, random: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two events of an inference of one row, as elements of a batch."""
    values = {name: [float(np.float32(random.normal()))] for name in NUMERIC}
    texts = {name: [f"level {random.integers(levels)}"] for name, levels in LEVELS.items()}
    inputs = [_tensor(name, "FP32", data) for name, data in values.items()]
    inputs += [_tensor(name, "BYTES", data) for name, data in texts.items()]
    probability = float(random.random())
    outputs = [
        _tensor("label", "INT64", [int(probability > 0.5)]),  # noqa: PLR2004 - even odds - the threshold of a classifier
        {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [1 - probability, probability]},
    ]
    attributes = {
        "specversion": "1.0",
        "id": f"{number:032x}",
        "source": "/models/flights-a",
        "time": datetime.fromtimestamp(START + number / INFERENCES_PER_SECOND, UTC).isoformat(),
        "inferenceservicename": "flights-a",
        "namespace": "models",
        "component": "predictor",
        "endpoint": "1.0.0",
        "metadata": orjson.dumps({"X-Request-Id": [f"request-{number:032x}"]}).decode(),
        "datacontenttype": "application/json",
    }
    answer = {"model_name": "flights", "model_version": "1.0.0", "id": f"{number}", "outputs": outputs}
    return (
        attributes | {"type": f"{_TYPE}request", "data": {"inputs": inputs}},
        attributes | {"type": f"{_TYPE}response", "status": "200", "data": answer},
    )


def _tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data), 1], "data": data}


def _binary_mode(event: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    headers = {f"ce-{name}": value for name, value in event.items() if name != "data"}
    return headers, orjson.dumps(event["data"])


def _batches(events: Sequence[dict[str, Any]]) -> list[tuple[None, bytes]]:
    return [(None, orjson.dumps(events[at : at + BATCH])) for at in range(0, len(events), BATCH)]


def _rules(random: np.random.Generator) -> Rules:
    columns: dict[str, Any] = {name: random.normal(size=20_000).astype(np.float32) for name in NUMERIC}
    for name, levels in LEVELS.items():
        columns[name] = np.array([f"level {level}" for level in random.integers(levels, size=20_000)], dtype=np.object_)
    score = random.random(20_000).astype(np.float32)
    outputs = {"label": (score > 0.5).astype(np.float32), "probabilities": np.stack([1 - score, score], axis=1)}  # noqa: PLR2004 - even odds
    profile = Profile.parse(build_profile(columns, categorical=list(LEVELS), outputs=outputs))
    return Rules("digest", profile.plan, 1000, 1.0, native_detectors(profile))


if __name__ == "__main__":
    main()
