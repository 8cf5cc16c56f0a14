"""How images are named and held to their limits, and that each Containerfile says what the builder assumes."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from cluster import paths
from images import build

RECIPES = build.IMAGES | build.TEST_IMAGES
ALL = sorted(RECIPES)


def containerfile(name: str) -> str:
    """The Containerfile up to the image's target, which is all that is built of it."""
    image = RECIPES[name]
    text = (paths.REPOSITORY / image.containerfile).read_text()
    if image.target is None:
        return text
    before, start, after = text.partition(f" AS {image.target}\n")
    assert start
    return before + start + after.partition("\nFROM ")[0]


def final_stage(name: str) -> str:
    return containerfile(name).rpartition("FROM ")[2]


def test_the_two_detectors_differ_in_alibi_alone() -> None:
    stages = [final_stage(name).splitlines()[1:] for name in ("drift-detector-native", "drift-detector")]
    native, alibi = ([line for line in stage if not line.startswith("#")] for stage in stages)
    assert [line for line in alibi if "alibi" not in line] == native


def test_the_native_detector_is_built_without_a_trace_of_alibi() -> None:
    assert "alibi" in containerfile("drift-detector").partition("FROM ")[2]
    assert "alibi" not in containerfile("drift-detector-native").partition("FROM ")[2]


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "src").mkdir(parents=True)
    (folder / "src/module.py").write_text("X = 1\n")
    (folder / "uv.lock").write_text("version = 1\n")
    return folder


def test_a_tag_changes_with_content_names_and_base_and_with_nothing_else(context: Path) -> None:
    first = build.content_hash(context, ["base:1"])
    assert re.fullmatch("[0-9a-f]{12}", first)

    (context / "src/module.py").touch()
    assert build.content_hash(context, ["base:1"]) == first
    assert build.content_hash(context, ["base:2"]) != first

    (context / "src/module.py").write_text("X = 2\n")
    changed = build.content_hash(context, ["base:1"])
    (context / "src/module.py").rename(context / "src/renamed.py")
    assert len({first, changed, build.content_hash(context, ["base:1"])}) == 3


def test_a_build_sees_its_own_sources_without_bytecode_and_nothing_else(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for file in ("tool/Containerfile", "tool/pyproject.toml", "tool/src/a.py", "tool/src/__pycache__/a.pyc", "secret"):
        (repository / file).parent.mkdir(parents=True, exist_ok=True)
        (repository / file).write_text(file)

    build.stage(build.Image("tool", ("tool/pyproject.toml", "tool/src"), limit=1), repository, tmp_path / "context")

    staged = {path.relative_to(tmp_path / "context").as_posix() for path in (tmp_path / "context").rglob("*.*")}
    assert staged == {"tool/pyproject.toml", "tool/src/a.py"}


def test_an_image_over_its_limit_is_refused_with_both_figures() -> None:
    build.check_size("operators", 210_000_000)
    with pytest.raises(build.ImageTooLargeError, match="operators: 211 MB, expected at most 210 MB"):
        build.check_size("operators", 211_000_000)


def test_an_unknown_image_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="expected one of onnx-server, operators"):
        build.build("onyx-server")


@pytest.mark.parametrize("name", ALL)
def test_every_image_runs_its_command_as_uid_10001_without_a_shell_in_between(name: str) -> None:
    stage = final_stage(name)
    assert "\nUSER 10001:10001\n" in stage
    entrypoint = re.search(r"^ENTRYPOINT (.*)$", stage, re.MULTILINE)
    assert entrypoint
    (command,) = json.loads(entrypoint[1])
    scripts = (paths.REPOSITORY / RECIPES[name].package / "pyproject.toml").read_text()
    assert f"\n{command} = " in scripts


@pytest.mark.parametrize("name", ALL)
def test_what_others_wrote_comes_from_the_lock_as_wheels(name: str) -> None:
    syncs = re.findall(r"uv sync (.*)", containerfile(name))
    assert syncs
    assert all("--frozen" in arguments.split() for arguments in syncs)
    assert "--no-build" in syncs[0].split()


@pytest.mark.parametrize("name", ALL)
def test_plain_docker_is_let_into_everything_that_a_containerfile_copies(name: str) -> None:
    allowed = {line[1:] for line in (paths.REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = [
        source
        for arguments in re.findall(r"^COPY (?!--from)(.*)$", containerfile(name), re.MULTILINE)
        for source in arguments.split()[:-1]
    ]
    assert set(copied) <= allowed
    assert set(copied) == set(RECIPES[name].sources)


@pytest.mark.parametrize("name", ALL)
def test_onnxruntime_never_reports_to_its_maker(name: str) -> None:
    lock = (paths.REPOSITORY / RECIPES[name].package / "uv.lock").read_text()
    if 'name = "onnxruntime"' in lock:
        assert containerfile(name).count("ORT_DISABLE_TELEMETRY=1") == 2  # where it is tried, and where it serves


def write_bundle(folder: Path, manifest: object) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2))
    return folder


@pytest.mark.parametrize("manifest", [[], {}, {"version": 1}])
def test_a_bundle_without_a_version_is_refused(tmp_path: Path, manifest: object) -> None:
    with pytest.raises(ValueError, match=r"manifest\.json: expected an object with a string `version`"):
        build.build_model(write_bundle(tmp_path / "bundle", manifest), "flights")


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"manifest\.json: expected a bundle's manifest"):
        build.build_model(tmp_path, "flights")


def test_a_model_is_named_by_its_version_and_the_digest_of_its_canonical_manifest(tmp_path: Path) -> None:
    manifest = {"version": "1.2.0", "name": "flüge"}
    canonical = '{"name":"flüge","version":"1.2.0"}'.encode()
    expected = f"docker.io/leeway/model-flights:1.2.0-{hashlib.sha256(canonical).hexdigest()[:12]}"

    assert build.model_reference(write_bundle(tmp_path / "bundle", manifest), "flights") == expected
