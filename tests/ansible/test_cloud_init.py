"""What cloud-init makes of what it is told: Terraform's cluster of one machine, and the model server's user data."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from cluster import demo, paths
from machine import described
from machine.target import Target


@pytest.fixture(scope="module", autouse=True)
def cloud_init(machine: Target) -> None:
    """Debian's cloud-init, told by a seed on the disk as a cloud would tell it."""
    machine.run("apt-get", "--quiet", "update")
    machine.run(
        "apt-get", "--quiet", "install", "--yes", "--no-install-recommends", "cloud-init",
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )  # fmt: skip
    settings = {"datasource_list": ["NoCloud"], "network": {"config": "disabled"}}
    (machine.root / "etc/cloud/cloud.cfg.d/99-test.cfg").write_text(yaml.safe_dump(settings))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return described.cloud_config(tmp_path_factory.mktemp("terraform"))


def test_it_takes_what_terraform_tells_the_machine(machine: Target, told: dict[str, object]) -> None:
    (machine.root / "etc/told.yaml").write_text(f"#cloud-config\n{yaml.safe_dump(told)}")
    assert "Valid" in machine.run("cloud-init", "schema", "--config-file", "/etc/told.yaml")


def test_a_first_boot_with_user_data_serves_the_model(machine: Target, settings: Mapping[str, str]) -> None:
    script = (paths.REPOSITORY / "deploy/vm/user-data.sh").read_text()
    for name, value in settings.items():
        script = re.sub(rf"\$\{{{name}:=[^}}]*\}}", f"${{{name}:={value}}}", script)
    seed = Path(machine.root / "var/lib/cloud/seed/nocloud")
    seed.mkdir(parents=True)
    (seed / "user-data").write_text(script)
    (seed / "meta-data").write_text("instance-id: leeway-first\n")
    machine.run("cloud-init", "init", "--local")
    machine.run("cloud-init", "init")
    machine.run("cloud-init", "modules", "--mode=final")
    answer = json.loads(machine.run("curl", "--silent", "--fail", "http://127.0.0.1:8080/v2/models/flights"))
    assert answer["versions"] == [demo.VERSION]


def test_it_writes_what_the_playbook_writes(machine: Target, told: dict[str, object]) -> None:
    (machine.root / "etc/told.yaml").write_text(f"#cloud-config\n{yaml.safe_dump(told)}")
    machine.run("cloud-init", "--file", "/etc/told.yaml", "single", "--name", "cc_write_files", "--frequency", "always")
    places = {
        "config.yaml": "etc/rancher/k3s/config.yaml",
        "leeway-objects.yaml": "var/lib/rancher/k3s/server/manifests/leeway-objects.yaml",
        "leeway-releases.yaml": "var/lib/rancher/k3s/server/manifests/leeway-releases.yaml",
    }
    for name, place in places.items():
        by_playbook = (described.ROLE / "files" / name).read_text()
        by_cloud_init = (machine.root / place).read_text()
        assert list(yaml.safe_load_all(by_cloud_init)) == list(yaml.safe_load_all(by_playbook)), name
        assert (machine.root / place).stat().st_mode & 0o777 == 0o600
