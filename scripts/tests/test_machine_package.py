"""The model server as an archive for a machine: the same bytes for the same sources, and nothing that is not pinned."""

import hashlib
import re
import tarfile
from pathlib import Path

from cluster import paths
from machine import server_package


def test_equal_sources_give_equal_archives(tmp_path: Path) -> None:
    first, digest = server_package.build(tmp_path / "one")
    second, again = server_package.build(tmp_path / "two")
    assert digest == again == hashlib.sha256(first.read_bytes()).hexdigest()
    assert first.name == second.name


def test_it_holds_what_its_installer_names(tmp_path: Path) -> None:
    file, _ = server_package.build(tmp_path)
    with tarfile.open(file) as archive:
        modes = {member.name: member.mode for member in archive}
    installer = (paths.REPOSITORY / "deploy/vm/install.sh").read_text()
    named = set(re.findall(r"leeway-server(?:-health)?\.(?:service|timer)", installer))
    wheel = {name for name in modes if re.fullmatch(r"leeway_serving-[0-9.]+-py3-none-any\.whl", name)}
    assert len(wheel) == 1
    assert modes.keys() == {"install.sh", "requirements.txt", "verify_bundle.py", *named, *wheel}
    assert modes["install.sh"] == 0o755


def test_every_requirement_has_its_version_and_its_hashes() -> None:
    pinned = server_package.requirements().replace("\\\n", "").splitlines()
    assert any(line.startswith("onnxruntime==") for line in pinned)
    for line in pinned:
        assert re.match(r"[a-z0-9-]+==[^ ]+( ;.*?)?\s+--hash=sha256:[0-9a-f]{64}", line), line


def test_a_bundle_is_packed_as_it_lies(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "deep").mkdir(parents=True)
    (bundle / "manifest.json").write_text("{}")
    (bundle / "deep/data").write_bytes(b"\0\1")
    server_package.pack_bundle(bundle, tmp_path / "bundle.tar.gz")
    with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
        packed = {member.name: archive.extractfile(member).read() for member in archive}
    assert packed == {"manifest.json": b"{}", "deep/data": b"\0\1"}


def test_the_user_data_is_as_short_as_clouds_ask() -> None:
    script = (paths.REPOSITORY / "deploy/vm/user-data.sh").read_bytes()
    assert script.startswith(b"#!")  # or else cloud-init does not run it
    assert len(script) < 16384
