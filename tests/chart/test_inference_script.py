"""The program that `helm test` runs, against a real TLS server with the operator's paths and a made certificate."""

import importlib.util
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chart.rendering import CHART, DIGEST, Render, model

METADATA = {
    "inputs": [
        {"name": "delay", "datatype": "FP32", "shape": [-1, 1]},
        {"name": "carrier", "datatype": "BYTES", "shape": [-1, 1]},
    ]
}
HOSTNAME = "flights.leeway.internal"
# The body of an answer that no model gave: Envoy's is empty, and has no version.
BY_THE_GATEWAY = ""


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inference_test", CHART / "files/inference_test.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with key and self-signed certificate for the wildcard that the chart's listener has by default."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.leeway.internal")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(text + made.public_bytes(pem))
    return path


class Model(BaseHTTPRequestHandler):
    """Answers as a model behind the gateway; `answers` of the server says what to infer requests."""

    def _send(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if body != BY_THE_GATEWAY:
            self.send_header("x-leeway-version", "1.0.0")
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        assert self.path == "/v2/models/flights"
        self._send(200, METADATA)

    def do_POST(self) -> None:
        assert self.path == "/v2/models/flights/infer"
        assert self.headers["Host"].split(":")[0] == HOSTNAME
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)  # type: ignore[attr-defined]
        self._send(*self.server.answers.pop(0))  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Keeps the test's output clean."""


GOOD = (200, {"outputs": [{"name": "label", "datatype": "INT64", "shape": [1], "data": [1]}]})
Gateway = Callable[..., tuple[int, list[Any]]]


@pytest.fixture
def run(program: ModuleType, certificate: Path, tmp_path: Path) -> Iterator[Gateway]:
    """Runs the program against a gateway with the given answers; returns exit status and the bodies it sent."""
    servers = []

    def ran(*answers: tuple[int, object], hostname: str = HOSTNAME, patience: float = 60, **settings: Any) -> Any:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
        server.answers, server.seen = list(answers), []  # type: ignore[attr-defined]
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {
            "port": server.server_port,
            "address": "127.0.0.1",
            "ca": str(certificate),
            "models": {"flights": {"hostname": hostname, "request": settings.get("request", {})}},
        }
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        return program.main(str(path), patience=patience, retry=0), server.seen  # type: ignore[attr-defined]

    yield ran
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_inference_through_https_passes(run: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    status, seen = run(GOOD)
    assert status == 0
    assert 'flights 1.0.0 at https://flights.leeway.internal answered {"label": [1]}' in capsys.readouterr().out
    assert seen == [
        {
            "inputs": [
                {"name": "delay", "datatype": "FP32", "shape": [1, 1], "data": [0]},
                {"name": "carrier", "datatype": "BYTES", "shape": [1, 1], "data": [""]},
            ]
        }
    ]


def test_the_given_request_is_sent_as_it_is(run: Gateway) -> None:
    request = {"inputs": [{"name": "delay", "datatype": "FP32", "shape": [1, 1], "data": [7.5]}]}
    status, seen = run(GOOD, request=request)
    assert status == 0
    assert seen == [request]


def test_it_waits_for_a_model_that_is_coming_up(run: Gateway) -> None:
    status, seen = run((404, BY_THE_GATEWAY), (500, BY_THE_GATEWAY), (503, {"error": "not ready"}), GOOD)
    assert status == 0
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("answer", "patience", "said"),
    [
        ((400, {"error": "inputs[0]: delay"}), 60, "answered 400, 200 was expected"),
        ((500, {"error": "inference failed"}), 60, "answered 500"),
        ((503, {"error": "not ready"}), 0, "answered 503"),
        ((200, {"outputs": []}), 60, "outputs with data were expected"),
    ],
)
def test_a_failure_says_what_was_answered(
    run: Gateway, capsys: pytest.CaptureFixture[str], answer: tuple[int, object], patience: float, said: str
) -> None:
    status, _ = run(answer, patience=patience)
    assert status == 1
    assert said in capsys.readouterr().out


def test_a_certificate_for_another_name_is_never_accepted(run: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    status, seen = run(GOOD, hostname="flights.example.com", patience=0)
    assert status == 1
    assert not seen
    assert "flights.example.com" in capsys.readouterr().out


def test_the_pod_is_told_gateway_models_and_authority(render: Render) -> None:
    fares = model(hostnames=["x.leeway.internal"], testRequest={"inputs": []})
    values = {"models": {"flights": model(), "fares": fares}}
    rendered = render(values)
    data = rendered.one("ConfigMap", "leeway-test")["data"]
    assert json.loads(data["config.json"]) == {
        "port": 443,
        "gateway": {"name": "leeway", "namespace": "leeway"},
        "ca": "/ca/ca.crt",
        "models": {
            "flights": {"hostname": "flights.leeway.internal", "request": {}},
            "fares": {"hostname": "x.leeway.internal", "request": {"inputs": []}},
        },
    }
    assert data["inference_test.py"] == (CHART / "files/inference_test.py").read_text()
    pod = rendered.one("Pod")["spec"]
    (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secret == {"secretName": "leeway-gateway-tls", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    (rule,) = rendered.one("Role")["rules"]
    assert rule["resourceNames"] == ["leeway"]
    assert rule["verbs"] == ["get"]


def test_an_existing_gateway_is_found_without_rights(render: Render) -> None:
    values = {
        "models": {"flights": {"model": {"storageUri": "s3://m", "version": "1", "digest": DIGEST}}},
        "gateway": {"create": False, "hostname": "*.example.com", "parentRef": {"name": "edge", "namespace": "infra"}},
        "helmTest": {"caSecret": "company-ca"},
    }
    rendered = render(values)
    config = json.loads(rendered.one("ConfigMap", "leeway-test")["data"]["config.json"])
    assert "gateway" not in config
    assert config["models"]["flights"]["hostname"] == "flights.example.com"
    assert not rendered.all("Role")
    pod = rendered.one("Pod")["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert {
        "name": "ca",
        "secret": {"secretName": "company-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]},
    } in pod["volumes"]
