"""What is counted, and that it is what the list of metrics says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from leeway_serving.http import Limits
from leeway_serving.loading import Served

LIST = Path(__file__).parents[3] / "schemas" / "metrics.yaml"
ROW = {"delay": 20.5, "wind": None, "carrier": "B6"}
Server = Any


def test_every_metric_is_in_the_list_and_every_entry_is_a_metric(server: Server) -> None:
    exposed = set()
    for family in server.registry.collect():
        ignored = {"le"} if family.type == "histogram" else set()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for sample in family.samples:
            exposed.add((name, family.type, family.documentation, frozenset(sample.labels.keys() - ignored)))
    entries = yaml.safe_load(LIST.read_text())["metrics"]
    listed = {
        (entry["name"], entry["type"], entry["help"], frozenset(entry["labels"]))
        for entry in entries
        if entry["component"] == "onnx-server"
    }
    assert exposed == listed


def test_a_prediction_is_counted_once_with_its_rows(server: Server) -> None:
    server.request("POST", "/api/v1/predict", json={"rows": [ROW, ROW, ROW]})
    assert server.value("requests_total", version="1.0.0", protocol="plain", code="200") == 1
    assert server.value("rows_total", version="1.0.0") == 3
    assert server.value("request_duration_seconds_count", version="1.0.0") == 1


@pytest.mark.parametrize(
    ("path", "content", "code", "reason"),
    [
        ("/v1/models/flights:predict", b"{", "400", "malformed"),
        ("/v2/models/flights/infer", b" " * (Limits.body_bytes + 1), "413", "too_large"),
    ],
)
def test_a_refusal_is_counted_by_code_and_reason_and_takes_no_time(
    server: Server, path: str, content: bytes, code: str, reason: str
) -> None:
    server.request("POST", path, content=content)
    assert server.value("requests_total", version="1.0.0", protocol=path[1:3], code=code) == 1
    assert server.value("rejected_total", version="1.0.0", reason=reason) == 1
    assert server.value("request_duration_seconds_count", version="1.0.0") == 0


def test_probes_and_reads_are_not_counted(server: Server) -> None:
    before = generate_latest(server.registry)
    server.request("POST", "/api/v1/predict", json={"rows": [ROW]}, headers={"x-leeway-probe": "1"})
    server.request("POST", "/api/v1/predict", content=b"{", headers={"x-leeway-probe": "1"})
    server.request("GET", "/v2/health/ready")
    server.request("GET", "/v2/models/flights/infer")
    assert generate_latest(server.registry) == before


def test_counters_exist_before_the_first_request(server: Server, make_server: Callable[..., Server]) -> None:
    for protocol in ("v1", "v2", "plain"):
        for code in ("200", "400", "500", "503"):
            assert server.value("requests_total", version="1.0.0", protocol=protocol, code=code) == 0
    waiting = make_server(version="1.0.0")
    waiting.request("POST", "/api/v1/predict")
    assert waiting.value("rejected_total", version="1.0.0", reason="not_ready") == 1
    assert waiting.value("model_load_seconds", version="1.0.0") is None


def test_what_was_not_known_before_loading_leaves_no_series(served: Served, make_server: Callable[..., Server]) -> None:
    server = make_server()
    server.request("POST", "/api/v1/predict")
    assert server.value("rejected_total", version="unknown", reason="not_ready") == 1
    server.serve(served)
    assert server.value("rejected_total", version="unknown", reason="not_ready") is None
    assert server.value("model_info", version="1.0.0", digest=str(served.digest)) == 1
