"""Parts of the cluster that upstream runs as pods: CoreDNS, metrics-server and the default storage class."""

import base64
import datetime as dt
import json
import socket
import string
import struct
import tempfile
from pathlib import Path

from cluster import programs, versions
from cluster.addons.images import AddonImage, program
from cluster.addons.kube import Kube
from cluster.node.pki import Authority
from cluster.progress import Step, wait_until
from cluster.shell import CommandFailedError

_MANIFESTS = Path(__file__).with_name("manifests")
_DNS_TIMEOUT_SECONDS = 1.0
_HEADER = struct.Struct(">6H")  # id, flags, then the numbers of questions, answers, authorities and additions
_RECURSION_DESIRED, _RESPONSE_CODE = 0x0100, 0x000F
_TYPE_A, _CLASS_IN = 1, 1


def image_reference() -> str:
    """One image: all of them are in the node's multi-call binary."""
    return f"docker.io/leeway/kubernetes:v{versions.kubernetes()}"


def images() -> list[AddonImage]:
    """The image of CoreDNS, metrics-server and prometheus-adapter."""
    binary = programs.kubernetes(versions.kubernetes()) / "kubernetes"
    return [program(image_reference(), binary, ["kubernetes", "coredns", "metrics-server", "prometheus-adapter"])]


def install_coredns(kube: Kube, address: str, step: Step) -> None:
    """Install CoreDNS as the Service at `address` and return once it resolves the API's own name."""
    kube.apply(manifest("coredns", address=address, image=image_reference()))
    wait_until(
        lambda: resolves(address, "kubernetes.default.svc.cluster.local"),
        seconds=120, what=f"an answer of the cluster DNS at {address}", step=step,
    )  # fmt: skip


def install_metrics_server(kube: Kube, step: Step) -> None:
    """Install metrics-server and return once the metrics API knows the node's use."""
    kube.apply(manifest("metrics-server", image=image_reference(), **certified("metrics-server", "kube-system")))

    def knows_nodes() -> bool:
        try:
            answer = kube.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes")
        except CommandFailedError:  # 503 until the first scrape
            return False
        return bool(json.loads(answer)["items"])

    wait_until(knows_nodes, seconds=120, what="the metrics API's first figures", step=step)


def install_storage_class(kube: Kube) -> None:
    """Make the box's own provisioner the default storage class."""
    kube.apply(manifest("storage"))


def resolves(server: str, name: str) -> bool:
    """Whether the DNS server at `server` (port 53, UDP) has an IPv4 address for `name` (RFC 1035, section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = _HEADER.pack(1, _RECURSION_DESIRED, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", _TYPE_A, _CLASS_IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(_DNS_TIMEOUT_SECONDS)
        try:
            channel.connect((server, 53))
            channel.send(question)
            return answers(channel.recv(512))
        except OSError:  # nobody there yet
            return False


def answers(message: bytes) -> bool:
    """Whether a DNS message is a success that carries at least one answer."""
    if len(message) < _HEADER.size:
        return False
    _, flags, _, count, _, _ = _HEADER.unpack_from(message)
    return bool(flags & _RESPONSE_CODE == 0 and count > 0)


def certified(service: str, namespace: str) -> dict[str, str]:
    """Return a certificate for a Service that the API server asks, made now by an authority that is then forgotten.

    Returns:
        `authority` and `certificate` (PEM) and `key`, each in base64 as Secrets and APIServices have it.
    """
    host = f"{service}.{namespace}.svc"
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority.create(Path(folder), f"{service}-ca", dt.datetime.now(dt.UTC))
        leaf = authority.leaf(service, common_name=host, hosts=[host])
        return {
            "authority": _encoded(authority.pair.certificate),
            "certificate": _encoded(leaf.certificate),
            "key": _encoded(leaf.key),
        }


def manifest(name: str, **values: str) -> str:
    """Return a manifest of this package with its variables filled in.

    Raises:
        KeyError: one is missing.
    """
    text = (_MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8")
    return string.Template(text).substitute(values)


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
