"""The playbook for a cluster of one machine, on a real Debian by SSH; only k3s itself is a stand-in.

The stand-in tells systemd that it is ready, as k3s does, and writes down how it is called.
"""

import functools
import hashlib
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from machine import described
from machine.playbooks import Controller, Ran
from machine.target import Target

Playbook = Callable[..., Ran]
MANIFESTS = "var/lib/rancher/k3s/server/manifests"
K3S = """#!/usr/bin/python3
import os, signal, socket, subprocess, sys
with open("/var/lib/k3s-calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "server":
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", "\\0" + address[1:] if address[0] == "@" else address)
    signal.pause()
sys.exit(subprocess.run(["systemctl", "--quiet", "is-active", "k3s"]).returncode)
"""


@pytest.fixture(scope="module")
def downloads(folder: Path, url: str) -> str:
    """A mirror of k3s's releases with the stand-in under two versions."""
    version = yaml.safe_load((described.ROLE / "vars/main.yml").read_text())["cluster_k3s_version"]
    for name, text in ((version, K3S), ("v9.9.9+k3s1", f"{K3S}# newer\n")):
        release = folder / name
        release.mkdir()
        (release / "k3s").write_text(text)
        sums = f"{'0' * 64}  k3s-airgap-images-amd64.tar\n{hashlib.sha256(text.encode()).hexdigest()}  k3s\n"
        (release / "sha256sum-amd64.txt").write_text(sums)
    return url


@pytest.fixture(scope="module")
def playbook(controller: Controller, downloads: str) -> Playbook:
    """Runs cluster.yml on the machine, with variables laid over the test's."""
    # The disk is this machine's, and none of the target's own.
    return functools.partial(controller.run, "cluster.yml", cluster_k3s_downloads=downloads, cluster_disk_gb=1)


def calls(machine: Target) -> list[str]:
    """How k3s was called since this was asked last."""
    file = machine.root / "var/lib/k3s-calls"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def answers(machine: Target, port: int) -> bool:
    """Whether somebody outside gets an answer from the machine's port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{machine.ports[port]}/", timeout=3):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"machine_admins": []}, "machine_admins is \\[\\]; a list of IPv4 networks such as"),
        ({"machine_clients": ["anyone"]}, "machine_clients is \\['anyone'\\]; a list of IPv4 networks such as"),
        ({"cluster_memory_mb": 10**9}, "MB of memory; at least 1000000000 were expected"),
        ({"cluster_disk_gb": 10**6}, "GB free; at least 1000000 were expected"),
        ({"cluster_values": "models"}, "cluster_values is no mapping"),
    ],
)
def test_what_a_machine_lacks_is_named_before_it_is_a_cluster(
    playbook: Playbook, variables: dict[str, Any], told: str
) -> None:
    ran = playbook(**variables)
    assert ran.code != 0
    assert re.search(told, ran.output), ran.output
    assert ran.changed == 0


def test_a_rehearsal_changes_nothing(machine: Target, playbook: Playbook) -> None:
    ran = playbook("--check")
    assert ran.code == 0, ran.output
    assert ran.changed > 0
    for file in ("etc/rancher", "etc/sysctl.d/60-leeway.conf", "usr/local/bin/k3s", "usr/sbin/nft"):
        assert not (machine.root / file).exists(), file


def test_a_machine_becomes_a_cluster(machine: Target, playbook: Playbook) -> None:
    ran = playbook()
    assert ran.code == 0, ran.output
    assert machine.run("systemctl", "is-enabled", "k3s", "nftables").split() == ["enabled", "enabled"]
    waited = calls(machine)
    assert waited[0] == "server"
    assert [call.rpartition("helm-install-")[2] for call in waited if "helm-install-" in call] == yaml.safe_load(
        (described.ROLE / "vars/main.yml").read_text()
    )["cluster_releases"]


def test_a_second_run_changes_nothing(machine: Target, playbook: Playbook) -> None:
    ran = playbook()
    assert ran.code == 0, ran.output
    assert ran.changed == 0, ran.output
    assert "server" not in calls(machine)


def test_it_is_told_what_cloud_init_tells_a_machine(machine: Target, tmp_path: Path) -> None:
    told = described.cloud_config(tmp_path)
    version = told["runcmd"][0][1]
    assert yaml.safe_load((described.ROLE / "vars/main.yml").read_text())["cluster_k3s_version"] == version
    compared = [file for file in told["write_files"] if file["path"].endswith(".yaml")]
    assert len(compared) == 3
    for file in compared:
        laid = machine.root / file["path"].lstrip("/")
        assert list(yaml.safe_load_all(laid.read_text())) == list(yaml.safe_load_all(file["content"])), file["path"]
        assert laid.stat().st_mode & 0o777 == int(file["permissions"], 8), file["path"]


def test_what_the_role_carries_is_what_terraform_says(tmp_path: Path) -> None:
    for path, text in described.files(tmp_path).items():
        assert (described.ROLE / path).read_text() == text, f"{path}: make ansible-releases writes it anew"


def test_only_the_named_ports_answer_the_named_networks(machine: Target, playbook: Playbook) -> None:
    for port in (443, 6443):
        machine.run("systemd-run", f"--unit=listener-{port}", "python3", "-m", "http.server", str(port))
    machine.run("sh", "-c", "until ss -ltn | grep -q :443 && ss -ltn | grep -q :6443; do sleep 0.1; done")
    assert answers(machine, 443)
    assert not answers(machine, 6443)
    assert machine.run("python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 6443))") == ""
    assert playbook(machine_clients=["198.51.100.0/24"]).code == 0
    assert not answers(machine, 443)


def test_the_tables_of_others_outlive_a_reload(machine: Target) -> None:
    machine.run("nft", "add", "table", "ip", "kube-proxy")
    machine.run("systemctl", "reload", "nftables")
    assert "table ip kube-proxy" in machine.run("nft", "list", "tables")


def test_nobody_comes_in_by_password(machine: Target) -> None:
    effective = machine.run("sshd", "-T").splitlines()
    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin without-password"} <= set(
        effective
    )


def test_own_values_are_laid_over_and_taken_back(machine: Target, playbook: Playbook) -> None:
    values = {"gateway": {"hostname": "*.models.example.com"}}
    for given in (values, {}):
        ran = playbook(machine_clients=["198.51.100.0/24"], cluster_values=given)
        assert ran.changed == 1, ran.output
        laid = yaml.safe_load((machine.root / MANIFESTS / "leeway-values.yaml").read_text())
        assert (laid["kind"], laid["metadata"]["name"]) == ("HelmChartConfig", "leeway")
        assert yaml.safe_load(laid["spec"]["valuesContent"]) == given


def test_another_version_of_k3s_is_started_once(machine: Target, playbook: Playbook) -> None:
    calls(machine)
    ran = playbook(machine_clients=["198.51.100.0/24"], cluster_k3s_version="v9.9.9+k3s1")
    assert ran.code == 0, ran.output
    assert calls(machine).count("server") == 1
    assert (machine.root / "usr/local/bin/k3s").read_text().endswith("# newer\n")


def test_a_download_that_is_not_the_release_is_not_installed(machine: Target, playbook: Playbook, folder: Path) -> None:
    (folder / "v9.9.10+k3s1").mkdir()
    (folder / "v9.9.10+k3s1/k3s").write_text("something else")
    (folder / "v9.9.10+k3s1/sha256sum-amd64.txt").write_text(f"{'0' * 64}  k3s\n")
    ran = playbook(machine_clients=["198.51.100.0/24"], cluster_k3s_version="v9.9.10+k3s1")
    assert ran.code != 0
    assert "checksum" in ran.output
    assert (machine.root / "usr/local/bin/k3s").read_text().endswith("# newer\n")
