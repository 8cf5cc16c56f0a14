"""From events to verdicts, through the running service: only time and the network are not real."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leeway_drift.service.profiles import ProfileSource
from leeway_drift.service.wiring import Service
from tests.watching import FLIGHTS, Bundle, Client, Clock, headers, profile, request, response, serving, settled

STATUS = "/v1/status/models/flights/1.0.0"
USUAL = [float(value) for value in range(100)]
SHIFTED = [value + 60.0 for value in USUAL]


def send(client: Client, clock: Clock, name: str, delays: list[Any], *, slot: str = "a", prefix: str = "r") -> None:
    attributes = {"slot": slot, "at": clock.now, "request_id": f"{prefix}{name}"}
    client.post("/", headers=headers(name, **attributes), content=request(delays))
    scores = [(value or 0) % 100 / 100 for value in delays]
    client.post("/", headers=headers(name, kind="response", **attributes), content=response(scores))


def judge(running: tuple[Service, Client], clock: Clock, delays: list[Any], windows: int, name: str = "") -> None:
    """Windows of these rows, two ticks each, and time enough for them to close."""
    service, client = running
    for window in range(windows):
        for tick in range(2):
            send(client, clock, f"{name}{window}.{tick}", delays)
            settled(service)
            clock.now += 10
    clock.now += 5
    settled(service)
    clock.now += 5


def load(service: Service, bundle: Bundle, directory: Path) -> None:
    """What the fetching thread does, now and not some time soon."""
    settled(service)
    source = ProfileSource(bundle, directory / "profiles", with_reference=False)
    for stream, inferenceservice in service.engine.wanted_profiles():
        service.engine.set_profile(stream, source.load(stream, inferenceservice))
    settled(service)


def verdicts(client: Client, **params: str) -> dict[str, tuple[str, bool]]:
    answer = client.get(STATUS, params=params).json()
    return {
        f"{said['detector']}/{said['reference']}": (said["verdict"], said["detected"]) for said in answer["detectors"]
    }


def exposed(service: Service) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by name and by the labels' values in alphabetical order of their names."""
    values: dict[str, dict[tuple[str, ...], float]] = {}
    for family in service.registry.collect():
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            values.setdefault(sample.name, {})[labels] = sample.value
    return values


def test_a_shift_is_told_by_the_status_the_history_and_the_metrics(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (service, client):
        send(client, clock, "first", USUAL)
        load(service, Bundle({"drift-profile.json": profile()}), tmp_path)
        judge((service, client), clock, USUAL, 3, "usual")
        before = verdicts(client)
        judge((service, client), clock, SHIFTED, 1, "once")
        once = verdicts(client)
        judge((service, client), clock, SHIFTED, 1, "twice")
        status = client.get(STATUS, params={"distributions": "true"}).json()
        values = exposed(service)
    assert before["slow/training"] == ("within", False)
    assert once["slow/training"] == ("over", False)
    assert {said["detector"]: said["detected"] for said in status["detectors"] if said["reference"] == "training"}[
        "slow"
    ]
    assert status["profile"]["state"] == "loaded"
    assert "slow/training" in status["history"][-1]["detected"]
    assert status["history"][0]["detected"] == []
    assert status["history"][-1]["ratios"]["slow/training"] > 1
    [delay] = [said for said in status["detectors"] if said["detector"] == "slow"]
    assert delay["columns"][0]["name"] == "delay"
    assert delay["calibrated"]
    assert sum(status["distributions"]["features"]["delay"]["now"]) == 200
    version = ("flights", "models")
    assert values["leeway_drift_detected"]["slow", *version, "training", "1.0.0"] == 1
    assert values["leeway_drift_score_ratio"]["slow", *version, "training", "1.0.0"] > 1
    assert values["leeway_drift_feature_distance"]["delay", *version, "training", "psi", "1.0.0"] > 0.25
    assert values["leeway_drift_feature_missing_ratio"]["delay", *version, "1.0.0"] == 0


def test_what_nobody_calibrated_is_shown_and_never_an_alarm(tmp_path: Path):
    clock, bundle = Clock(), Bundle({"drift-profile.json": profile(timed=False)})
    with serving(tmp_path, clock, fetch=bundle) as (service, client):
        send(client, clock, "first", USUAL)
        load(service, bundle, tmp_path)
        judge((service, client), clock, SHIFTED, 4)
        said = verdicts(client)
        values = exposed(service)
    assert said["slow/training"] == ("over", False)
    assert values["leeway_drift_detected"]["slow", "flights", "models", "training", "1.0.0"] == 0


def test_good_data_is_good_news_only_while_it_comes(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (service, client):
        send(client, clock, "first", USUAL)
        load(service, Bundle({"drift-profile.json": profile()}), tmp_path)
        judge((service, client), clock, USUAL, 4)
        before = verdicts(client)
        clock.now += 15 * 60
        settled(service)
        after = client.get(STATUS).json()["detectors"]
    assert before["data_quality/training"] == ("within", False)
    [silent] = [said for said in after if said["detector"] == "data_quality"]
    assert silent["verdict"] == "insufficient"
    assert "no traffic" in silent["reason"]


def test_without_a_profile_nothing_is_judged_and_the_reason_is_told(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock, fetch=Bundle({})) as (service, client):
        send(client, clock, "first", USUAL)
        load(service, Bundle({}), tmp_path)
        judge((service, client), clock, SHIFTED, 3)
        status = client.get(STATUS).json()
    assert status["profile"]["state"] == "absent"
    assert "drift-profile.json" in status["profile"]["reason"]
    assert [said["verdict"] for said in status["detectors"]] == ["insufficient"]
    assert status["history"] == []


class Tampered(Bundle):
    """Serves other bytes than its manifest says."""

    def __call__(self, namespace: str, inferenceservice: str, name: str, limit: int) -> bytes:
        body = super().__call__(namespace, inferenceservice, name, limit)
        return body if name == "manifest.json" else body + b" "


@pytest.mark.parametrize(
    ("bundle", "state", "reason"),
    [
        (Tampered({"drift-profile.json": profile()}), "refused", "its manifest says"),
        (Bundle({"drift-profile.json": b'{"schema_version": 99}'}), "refused", "schema_version: 99"),
        (Bundle({"drift-profile.json": b"[]"}), "refused", "no JSON object"),
        (Bundle({"drift-profile.json": profile()}, version="2.0.0"), "absent", "not of '1.0.0'"),
    ],
)
def test_a_profile_that_cannot_be_trusted_is_never_used(tmp_path: Path, bundle: Bundle, state: str, reason: str):
    found = ProfileSource(bundle, tmp_path, with_reference=False).load(FLIGHTS, "flights-a")
    assert found.state == state
    assert found.loaded is None
    assert reason in str(found.reason)


@pytest.mark.parametrize("rebuilt", [{"drift-profile.json": profile(shift=50.0)}, {}], ids=["another", "none"])
def test_a_bundle_that_was_replaced_under_its_version_is_judged_by_its_own_profile(tmp_path: Path, rebuilt: dict):
    clock, bundle = Clock(), Bundle({"drift-profile.json": profile()})
    with serving(tmp_path, clock, fetch=bundle) as (service, client):
        send(client, clock, "first", USUAL)
        load(service, bundle, tmp_path)
        judge((service, client), clock, USUAL, 2)
        before = client.get(STATUS).json()
        bundle.files = rebuilt
        service.engine.set_bundles({FLIGHTS: frozenset({loaded_bundle(service), "sha256:newer"})})
        settled(service)
        while_both_are_served = service.engine.wanted_profiles()
        service.engine.set_bundles({FLIGHTS: frozenset({"sha256:newer"})})
        load(service, bundle, tmp_path)
        after = client.get(STATUS).json()
    assert len(before["history"]) == 2
    assert while_both_are_served == []
    assert after["profile"]["state"] == ("loaded" if rebuilt else "absent")
    assert after["profile"]["digest"] != before["profile"]["digest"]
    assert after["history"] == []


def loaded_bundle(service: Service) -> str:
    loaded = service.engine.views.streams[FLIGHTS].profile.loaded
    assert loaded is not None
    return loaded.bundle


def test_the_names_of_bundles_are_those_of_their_servers(tmp_path: Path):
    manifest = json.loads((Path(__file__).parents[2] / "schemas" / "examples" / "manifest.json").read_text())
    body = profile()
    manifest["files"] = {"drift-profile.json": {"sha256": hashlib.sha256(body).hexdigest()}}
    manifest["version"] = FLIGHTS.version
    files = {"manifest.json": json.dumps(manifest, indent=1).encode(), "drift-profile.json": body}
    found = ProfileSource(lambda *asked: files[asked[2]], tmp_path, with_reference=False).load(FLIGHTS, "flights-a")
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert found.loaded is not None
    assert found.loaded.bundle == f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def test_a_restart_goes_on_where_it_stopped(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (service, client):
        send(client, clock, "first", USUAL)
        load(service, Bundle({"drift-profile.json": profile()}), tmp_path)
        judge((service, client), clock, SHIFTED, 2)
        send(client, clock, "open", USUAL)
        settled(service)
        before = client.get(STATUS).json()
        cursor = client.get("/v1/compare/models/flights", params={"candidate": "b"}).json()["cursor"]
    with serving(tmp_path, clock, epoch="second") as (service, client):
        after = client.get(STATUS).json()
        send(client, clock, "open", USUAL)
        clock.now += 20
        settled(service)
        later = client.get(STATUS).json()
        compared = client.get("/v1/compare/models/flights", params={"candidate": "b", "cursor": cursor}).json()
    assert {**after, "events": {}} == {**before, "events": {}}
    assert later["events"]["request"]["duplicate"] == 1
    assert [window["rows"] for window in later["history"]] == [300, 200, 100]
    assert compared["epoch"] == "second"
    assert [tick["arms"]["stable"]["requests"] for tick in compared["ticks"]] == [1]


@pytest.mark.parametrize(
    "damage", [b"", b"{}\n", b'{"format": "leeway-drift-snapshot", "version": 2, "sha256": "0"}\n{}']
)
def test_a_snapshot_that_is_none_is_put_aside(tmp_path: Path, damage: bytes):
    (tmp_path / "snapshot.json").write_bytes(damage)
    with serving(tmp_path, Clock()) as (_, client):
        assert client.get("/v1/status").json() == []
    assert (tmp_path / "snapshot.json.unusable").read_bytes() == damage


def test_each_closed_tick_is_compared_once_with_pairs(tmp_path: Path):
    clock = Clock()
    with serving(tmp_path, clock) as (service, client):
        ask = {"candidate": "b"}
        for slot, scores in (("a", [0.2, 0.6]), ("b", [0.3, 0.4])):
            attributes = {"slot": slot, "at": clock.now}
            client.post("/", headers=headers(1, **attributes), content=request([1.0, None]))
            client.post("/", headers=headers(1, kind="response", **attributes), content=response(scores))
        service.engine.add_loss(FLIGHTS, "b", 0.5, datetime.fromtimestamp(clock.now, UTC))
        settled(service)
        clock.now += 15
        settled(service)
        first = client.get("/v1/compare/models/flights", params=ask).json()
        clock.now += 10
        settled(service)
        again = client.get("/v1/compare/models/flights", params={**ask, "cursor": first["cursor"]}).json()
        swapped = client.get("/v1/compare/models/flights", params={"candidate": "a"}).json()
    [tick] = first["ticks"]
    assert again["ticks"] == []
    assert {role: arm["requests"] for role, arm in tick["arms"].items()} == {"candidate": 1, "stable": 1}
    [losses] = tick["arms"]["candidate"]["losses"]
    assert (losses["n"], losses["sum"], losses["sumsq"]) == (1, 0.5, 0.25)
    assert set(tick["arms"]["stable"]["outputs"]) == {"probabilities.0", "probabilities.1"}
    assert tick["arms"]["stable"]["outputs"]["probabilities.1"] == {
        "n": 2,
        "sum": pytest.approx(0.8),
        "sumsq": pytest.approx(0.4),
        "bounded": True,
    }
    assert tick["pairs"] == {
        "n": 2,
        "sum": pytest.approx(-0.1),
        "sumsq": pytest.approx(0.05),
        "bounded": True,
        "labelled": 2,
        "flips": 1,
        "mismatched": 0,
    }
    assert first["coverage"] == {"candidate": None, "stable": None}
    assert swapped["ticks"][0]["pairs"]["sum"] == pytest.approx(0.1)


def test_a_clock_that_jumps_ahead_and_back_blinds_nobody(tmp_path: Path):
    clock = Clock()
    ask = {"candidate": "b"}
    with serving(tmp_path, clock) as (service, client):
        send(client, clock, "first", USUAL)
        load(service, Bundle({"drift-profile.json": profile()}), tmp_path)
        clock.now += 86400
        send(client, clock, "ahead", USUAL)
        settled(service)
    clock.now -= 86400
    with serving(tmp_path, clock, epoch="second") as (service, client):
        judge((service, client), clock, USUAL, 2, "again")
        status = client.get(STATUS).json()
        compared = client.get("/v1/compare/models/flights", params=ask).json()
        cursor = {**ask, "cursor": compared["cursor"]}
        send(client, clock, "later", USUAL)
        settled(service)
        clock.now += 20
        settled(service)
        later = client.get("/v1/compare/models/flights", params=cursor).json()
    assert status["events"]["request"]["late"] == 0
    assert [window["rows"] for window in status["history"]] == [100, 200, 200]
    assert [tick["arms"]["stable"]["requests"] for tick in compared["ticks"]] == [1, 1, 1, 1]
    assert compared["epoch"] == later["epoch"] == "second.1"
    assert [tick["arms"]["stable"]["requests"] for tick in later["ticks"]] == [1]


def test_a_drill_is_watched_apart_in_its_own_time(tmp_path: Path):
    clock = Clock()
    drill = {**FLIGHTS_AS_DOCUMENT, "start": "2013-09-01T00:00:00Z", "speed": 40}
    with serving(tmp_path, clock) as (service, client):
        send(client, clock, "first", USUAL)
        load(service, Bundle({"drift-profile.json": profile()}), tmp_path)
        begun = client.post("/v1/simulate", json=drill).json()
        for number in range(4):
            send(client, clock, f"d{number}", SHIFTED, prefix=begun["request_id_prefix"])
            settled(service)
            clock.now += 1
        clock.now += 10
        settled(service)
        apart = client.get(STATUS, params={"drill": begun["drill"]}).json()
        real = client.get(STATUS).json()
        told = verdicts(client, drill=begun["drill"])
        assert client.delete(f"/v1/simulate/{begun['drill']}").status_code == 200
        send(client, clock, "straggler", SHIFTED, prefix=begun["request_id_prefix"])
        settled(service)
        over = client.get(STATUS, params={"drill": begun["drill"]}).status_code
        ignored = client.get(STATUS).json()["events"]["request"]["ignored"]
        limit = [client.post("/v1/simulate", json=drill).status_code for _ in range(5)]
    assert told["slow/training"] == ("over", True)
    assert apart["history"][0]["start"].startswith("2013-09-01T00:00")
    assert real["history"] == []
    assert (over, ignored) == (404, 1)
    assert limit == [200] * 4 + [429]


FLIGHTS_AS_DOCUMENT = {"namespace": FLIGHTS.namespace, "model": FLIGHTS.model, "version": FLIGHTS.version}
