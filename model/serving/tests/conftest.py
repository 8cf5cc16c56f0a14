"""A small real bundle, made the way training makes one, and the application around it."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from prometheus_client import CollectorRegistry
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from leeway_serving.app import Application, Capture
from leeway_serving.http import Admission, Limits
from leeway_serving.loading import Served, Told, load
from leeway_serving.metrics import Metrics
from leeway_serving.tracing.trace import Tracer

# A busy machine is no property of the code.
settings.register_profile("leeway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leeway")

MODEL = "flights"
INPUTS = [
    {"name": "delay", "kind": "numeric", "dtype": "FP32", "nullable": False, "minimum": -10.0, "maximum": 200.0},
    {"name": "wind", "kind": "numeric", "dtype": "FP32", "nullable": True},
    {"name": "carrier", "kind": "categorical", "dtype": "BYTES", "nullable": False, "categories": ["AA", "B6", "UA"]},
]
OUTPUTS = [
    {"name": "label", "dtype": "INT64", "shape": [-1]},
    {"name": "probabilities", "dtype": "FP32", "shape": [-1, 2]},
]


def digest_of(manifest: dict[str, Any]) -> str:
    """The digest as the contract between the components says it."""
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def seal(directory: Path, **changes: Any) -> str:
    """Writes a manifest that fits the files in `directory`, with `changes`, and returns the bundle's digest."""
    files = {
        str(path.relative_to(directory)): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in directory.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", "provenance.json")
    }
    manifest = {
        "schema_version": 1,
        "name": MODEL,
        "version": "1.0.0",
        "task": "binary_classification",
        "description": "A model for tests",
        "frameworks": {"scikit-learn": "1.9.1"},
        "files": files,
        "inputs": INPUTS,
        "outputs": OUTPUTS,
        "metrics": {},
        "data": {
            "name": "made up",
            "sha256": "0" * 64,
            "rows": 400,
            "time_span": ["2013-01-01T00:00:00Z", "2013-06-30T23:00:00Z"],
        },
        **changes,
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=2))
    return digest_of(manifest)


def _features(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"delay": rng.normal(10, 30, rows), "wind": rng.normal(8, 4, rows)}, dtype=np.float32)
    frame["carrier"] = rng.choice(np.array(["AA", "B6", "UA"], dtype=object), rows)
    frame.loc[::5, "wind"] = np.nan
    return frame


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that every test shares and none writes to."""
    directory = tmp_path_factory.mktemp("bundle")
    frame = _features(400)
    label = (frame["delay"] + np.where(frame["carrier"] == "B6", 10, 0) > 15).astype(int)
    columns = make_column_transformer(
        (SimpleImputer(), ["delay", "wind"]), (OneHotEncoder(handle_unknown="ignore"), ["carrier"])
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, label)
    types = [
        ("delay", FloatTensorType([None, 1])),
        ("wind", FloatTensorType([None, 1])),
        ("carrier", StringTensorType([None, 1])),
    ]
    graph = to_onnx(pipeline, initial_types=types, options={"zipmap": False}, target_opset=17)
    (directory / "model.onnx").write_bytes(graph.SerializeToString())
    cases = []
    for start in range(16):
        rows = frame.iloc[start : start + 1 + start % 3]
        probabilities = pipeline.predict_proba(rows)
        data = {name: [None if value != value else value for value in rows[name].tolist()] for name in frame}  # noqa: PLR0124
        tensors = [
            {"name": i["name"], "datatype": i["dtype"], "shape": [len(rows), 1], "data": data[i["name"]]}
            for i in INPUTS
        ]
        expected = [
            {
                "name": "label",
                "datatype": "INT64",
                "shape": [len(rows)],
                "data": probabilities.argmax(axis=1).tolist(),
            },
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": list(probabilities.shape),
                "data": probabilities.ravel().tolist(),
            },
        ]
        cases.append({"request": {"inputs": tensors}, "expected": {"outputs": expected}})
    golden = {"schema_version": 1, "tolerance": {"absolute": 1e-5}, "cases": cases}
    (directory / "golden.json").write_text(json.dumps(golden))
    (directory / "drift-profile.json").write_text('{"schema_version": 1}')
    (directory / "MODEL_CARD.md").write_text("# A model for tests\n")
    (directory / "provenance.json").write_text('{"host": "anywhere"}')
    seal(directory)
    return directory


@pytest.fixture
def bundle(sealed: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may spoil."""
    return Path(shutil.copytree(sealed, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def served(sealed: Path) -> Served:
    return load(sealed, name=MODEL, told=Told(), max_rows=Limits.rows)


class Server:
    """The application as a client sees it, with its registry at hand."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        version: str | None = None,
        capture: Capture | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self.admission = Admission(limits)
        self.metrics = Metrics(
            self.registry, model=MODEL, version=version or "unknown", in_flight=lambda: self.admission.in_flight
        )
        self.app = Application(
            model=MODEL,
            version=version,
            admission=self.admission,
            metrics=self.metrics,
            capture=capture,
            tracer=tracer,
        )

    def serve(self, served: Served) -> "Server":
        self.metrics.loaded(version=served.version, digest=served.digest, seconds=0.5)
        self.app.serve(served)
        return self

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"leeway_inference_{name}", {"model": MODEL, **labels})


@pytest.fixture
def server(served: Served) -> Server:
    return Server().serve(served)


@pytest.fixture(scope="session")
def make_server() -> Callable[..., Server]:
    return Server


@pytest.fixture
def reseal() -> Callable[..., str]:
    return seal
