"""The list of metrics and what a whole service exposes are the same, both ways; and each series is told once."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from prometheus_client import CollectorRegistry

from leeway_drift.profile import build_profile
from leeway_drift.service.metrics import DISTANCES
from leeway_drift.service.predictions import PredictionLog
from leeway_drift.service.profiles import ProfileSource
from leeway_drift.service.wiring import Replica, Service
from tests.watching import FLIGHTS, Bundle, Client, Clock, headers, profile, request, response, serving, settled

METRICS = Path(__file__).parents[2] / "schemas" / "metrics.yaml"
ROWS = 600
CLASSES = 103
MEASURED = ("leeway_drift_feature_distance", "leeway_drift_prediction_distance")
Known = dict[str, tuple[str, str, set[str]]]


def listed() -> Known:
    """Type, help and labels by name."""
    return {
        entry["name"]: (entry["type"], entry["help"], set(entry["labels"]))
        for entry in yaml.safe_load(METRICS.read_text())["metrics"]
        if entry["component"] == "drift-detector"
    }


def exposed(registry: CollectorRegistry) -> Known:
    return {
        family.name if family.type == "histogram" else sample.name: (
            family.type,
            family.documentation,
            set(sample.labels) - {"le"},
        )
        for family in registry.collect()
        for sample in family.samples
        if family.name.startswith("leeway") and not sample.name.endswith("_created")
    }


def bundle() -> Bundle:
    """With as much of a spread as it takes to judge labels."""
    document = json.loads(profile())
    document["performance"] = {"calibration_gap": {"mean": 0.0, "sd": 0.02, "windows": 40}}
    return Bundle({"drift-profile.json": json.dumps(document).encode()})


def send(client: Client, clock: Clock, name: str) -> None:
    scores = [row % 100 / 100 for row in range(ROWS)]
    client.post("/", headers=headers(name, at=clock.now), content=request([None, *(100.0 * s for s in scores[1:])]))
    client.post("/", headers=headers(name, at=clock.now, kind="response"), content=response(scores))


def with_everything(running: tuple[Service, Client], clock: Clock, folder: Path) -> Known:
    service, client = running
    send(client, clock, "first")
    settled(service)
    source = ProfileSource(bundle(), folder / "profiles", with_reference=False)
    service.engine.set_profile(FLIGHTS, source.load(FLIGHTS, "flights-a"))
    service.engine.set_coverage({("models", "flights", "a"): 0.5})
    for name in ("second", "third"):
        send(client, clock, name)
        settled(service)
        clock.now += 20
    settled(service)
    label(service, client, clock)
    return exposed(service.registry)


def label(service: Service, client: Client, clock: Clock) -> None:
    log: Any = service.engine.log
    assert isinstance(log, PredictionLog)
    waiting = threading.Event()
    while sum(sum(tally.predictions.values()) for tally in log.tallies.versions().values()) < 3 * ROWS:
        waiting.wait(0.01)
    labels = [{"id": "asecond", "model": "flights", "row": row, "label": row % 2} for row in range(ROWS)]
    assert client.post("/v1/feedback", json=labels).json()["counts"]["accepted"] == ROWS
    clock.now += 60
    log.scores.refresh()


def test_what_is_listed_is_exposed_and_what_is_exposed_is_listed(tmp_path: Path):
    clock = Clock()
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    alone.mkdir()
    shared.mkdir()
    with serving(alone, clock, store={"enabled": True}, backend="alibi") as running:
        found = with_everything(running, clock, alone)
    replica = Replica("redis://127.0.0.1:1/0", "http://10.0.0.8:8080")
    with serving(shared, clock, replica=replica) as (service, _):
        found |= exposed(service.registry)
    assert found == listed()


def test_a_series_is_told_once_though_two_detectors_measure_it(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock, store={"enabled": True}) as running:
        with_everything(running, clock, tmp_path)
        samples = [
            (sample.name, frozenset(sample.labels.items()))
            for family in running[0].registry.collect()
            for sample in family.samples
        ]
    measured = {name: {dict(labels)["statistic"] for told, labels in samples if told == name} for name in MEASURED}
    assert {"ks", "tvd"} <= measured[MEASURED[0]]  # by `slow` and by `tabular`, both against training
    assert all(found <= DISTANCES for found in measured.values())  # data quality has ratios, which are none
    assert len(samples) == len(set(samples))


def test_a_model_of_many_classes_has_series_for_the_first_hundred_outputs(tmp_path: Path):
    clock = Clock()
    scores = np.random.default_rng(1).dirichlet(np.ones(CLASSES), size=ROWS)
    delays = np.arange(ROWS) % 100.0
    document = build_profile({"delay": delays}, categorical=[], outputs={"probabilities": scores})
    document["window"] = {"rows": 100, "seconds": 20.0}
    answer = {"name": "probabilities", "datatype": "FP32", "shape": [ROWS, CLASSES], "data": scores.ravel().tolist()}
    with serving(tmp_path, clock) as (service, client):
        for number in range(2):
            client.post("/", headers=headers(number, at=clock.now), content=request(delays.tolist()))
            sent = headers(number, at=clock.now, kind="response")
            client.post("/", headers=sent, content=json.dumps({"id": "a", "outputs": [answer]}).encode())
            settled(service)
            files = {"drift-profile.json": json.dumps(document).encode()}
            source = ProfileSource(Bundle(files), tmp_path / "profiles", with_reference=False)
            service.engine.set_profile(FLIGHTS, source.load(FLIGHTS, "flights-a"))
            clock.now += 40
            settled(service)
        outputs = {
            sample.labels["output"]
            for family in service.registry.collect()
            for sample in family.samples
            if "output" in sample.labels
        }
    assert outputs == {f"probabilities.{number}" for number in range(100)}


def test_features_of_a_silent_version_have_no_series_until_it_has_events_again(tmp_path: Path):
    clock = Clock()

    def features(service: Service) -> set[str]:
        samples = (sample for family in service.registry.collect() for sample in family.samples)
        return {sample.name for sample in samples if "feature" in sample.labels}

    with serving(tmp_path, clock, store={"enabled": True}) as running:
        service, client = running
        with_everything(running, clock, tmp_path)
        told = features(service)
        clock.now += 700
        settled(service)
        silent, judged = features(service), exposed(service.registry)
        send(client, clock, "fourth")
        clock.now += 20
        settled(service)
        assert (silent, features(service)) == (set(), told)
    assert {"leeway_drift_detected", "leeway_drift_insufficient", "leeway_drift_score_ratio"} <= judged.keys()
