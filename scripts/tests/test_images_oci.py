"""The archives that nodes and registries read: their structure, their names, and that equal input gives equal bytes."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from images import oci

REFERENCE = "docker.io/leeway/tool:1.0"


def program(folder: Path, name: str = "tool", content: bytes = b"\x7fELF") -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def read_blob(archive: Path, digest: str) -> bytes:
    with tarfile.open(archive) as tar:
        content = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
        assert content is not None
        return content.read()


def read_json(archive: Path, name: str) -> Any:
    with tarfile.open(archive) as tar:
        content = tar.extractfile(name)
        assert content is not None
        return json.loads(content.read())


def read_image(archive: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return manifest and configuration, found as containerd finds them: from index.json."""
    (descriptor,) = read_json(archive, "index.json")["manifests"]
    manifest = json.loads(read_blob(archive, descriptor["digest"]))
    return manifest, json.loads(read_blob(archive, manifest["config"]["digest"]))


def read_layers(archive: Path) -> dict[str, tarfile.TarInfo]:
    manifest, _ = read_image(archive)
    found = {}
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(read_blob(archive, layer["digest"]))) as tar:
            found.update({member.name: member for member in tar.getmembers()})
    return found


def test_every_descriptor_has_the_hash_and_size_of_its_content(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    oci.static_image(archive, REFERENCE, {"/tool": program(tmp_path)}, entrypoint=["/tool"])

    (index_entry,) = read_json(archive, "index.json")["manifests"]
    manifest, config = read_image(archive)

    for descriptor in (index_entry, manifest["config"], *manifest["layers"]):
        content = read_blob(archive, descriptor["digest"])
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
        assert len(content) == descriptor["size"]
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]


def test_containerd_and_docker_both_find_the_full_name(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    oci.static_image(archive, REFERENCE, {"/tool": program(tmp_path)}, entrypoint=["/tool"])

    (descriptor,) = read_json(archive, "index.json")["manifests"]
    (docker,) = read_json(archive, "manifest.json")

    assert descriptor["annotations"]["io.containerd.image.name"] == REFERENCE
    assert docker["RepoTags"] == [REFERENCE]
    assert read_json(archive, docker["Config"]) == read_image(archive)[1]


def test_a_static_image_runs_as_a_numeric_user_who_is_not_root(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    oci.static_image(
        archive,
        REFERENCE,
        {"/bin/tool": program(tmp_path)},
        entrypoint=["/bin/tool", "run"],
        environment={"B": "2", "A": "1"},
    )

    _, config = read_image(archive)

    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Entrypoint"] == ["/bin/tool", "run"]
    assert config["config"]["Env"] == ["A=1", "B=2"]


def test_files_links_and_folders_land_where_they_were_sent(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "notes.txt").write_text("read me")
    (folder / "latest").symlink_to("deep")
    archive = tmp_path / "image.tar"

    oci.static_image(
        archive,
        REFERENCE,
        {"/usr/bin/tool": program(tmp_path)},
        entrypoint=["/usr/bin/tool"],
        links={"/usr/bin/alias": "tool"},
        folders=[(folder, "/usr/share")],
    )

    members = read_layers(archive)
    assert members["usr/bin/tool"].mode == 0o755
    assert members["usr/bin/alias"].linkname == "tool"
    assert members["usr/share/deep/notes.txt"].mode == 0o644
    assert members["usr/share/latest"].linkname == "deep"
    assert members["usr/share"].isdir()
    assert members["tmp"].mode == 0o1777


def test_equal_content_gives_equal_bytes_whatever_the_clock_and_the_order(tmp_path: Path) -> None:
    archives = []
    for number, order in enumerate((["a", "b"], ["b", "a"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = {f"/{name}": program(folder, name, name.encode()) for name in order}
        archives.append(folder / "image.tar")
        oci.static_image(archives[-1], REFERENCE, files, entrypoint=["/a"])

    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_nothing_but_the_archive_is_left_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    oci.static_image(out / "image.tar", REFERENCE, {"/tool": program(tmp_path)}, entrypoint=["/tool"])

    assert [path.name for path in out.iterdir()] == ["image.tar"]


def test_a_modelcar_has_the_bundle_a_shell_and_no_entrypoint(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    archive = tmp_path / "model.tar"

    licence = tmp_path / "licence"
    licence.write_text("GPL-2")
    papers = {"/usr/share/doc/busybox/copyright": licence}
    busybox = program(tmp_path, "busybox")
    oci.modelcar_image(archive, "docker.io/leeway/model-delay:1", bundle, busybox=busybox, papers=papers)

    _, config = read_image(archive)
    members = read_layers(archive)
    assert "Entrypoint" not in config["config"]
    assert "Cmd" not in config["config"]
    assert members["models/manifest.json"].mode == 0o644  # KServe chooses the user that reads it
    assert "usr/share/doc/busybox/copyright" in members
    for command in ("sh", "[", "echo", "ln", "ls", "mkdir", "sleep"):
        assert members[f"bin/{command}"].linkname == "busybox"


def test_models_share_the_layer_of_tools(tmp_path: Path) -> None:
    busybox = program(tmp_path, "busybox")
    layers = []
    for version in ("1", "2"):
        bundle = tmp_path / version
        bundle.mkdir()
        (bundle / "model.onnx").write_text(version)
        oci.modelcar_image(
            tmp_path / f"{version}.tar", f"docker.io/leeway/model-delay:{version}", bundle, busybox=busybox
        )
        layers.append([layer["digest"] for layer in read_image(tmp_path / f"{version}.tar")[0]["layers"]])

    assert layers[0][0] == layers[1][0]
    assert layers[0][1] != layers[1][1]


def test_an_empty_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected a folder that holds a model"):
        oci.modelcar_image(tmp_path / "x.tar", REFERENCE, tmp_path / "empty", busybox=program(tmp_path, "busybox"))


@pytest.mark.parametrize(
    "reference", ["leeway/tool:1", "docker.io/leeway/tool", "docker.io/leeway/tool:latest", "docker.io/A/b:1"]
)
def test_a_name_that_a_node_would_have_to_complete_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(ValueError, match="expected registry/repository:tag"):
        oci.static_image(tmp_path / "x.tar", reference, {"/tool": program(tmp_path)}, entrypoint=["/tool"])


@pytest.mark.parametrize("path", ["relative", "/../etc/passwd", "/"])
def test_a_path_outside_of_the_image_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="expected an absolute one below /"):
        oci.static_image(tmp_path / "x.tar", REFERENCE, {path: program(tmp_path)}, entrypoint=["/tool"])


def test_one_path_with_two_contents_is_refused(tmp_path: Path) -> None:
    tool = program(tmp_path)
    with pytest.raises(ValueError, match="given twice"):
        oci.static_image(tmp_path / "x.tar", REFERENCE, {"/tool": tool}, entrypoint=["/tool"], links={"/tool": "other"})
