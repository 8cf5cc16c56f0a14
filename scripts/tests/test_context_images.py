"""How images are built and come to the nodes of a cluster of somebody else's."""

import json
from pathlib import Path

import pytest

from cluster.context import carry, engines, reach
from cluster.context.engines import Engine, Here, Run
from cluster.context.reach import Nodes
from cluster.shell import CommandFailedError

KIND = Nodes("kind", "leeway", "podman")


def answering(*engines_that_work: str) -> Run:
    def ask(command: list[str | Path]) -> str:
        assert command[1] == "info"
        if command[0] not in engines_that_work:
            raise CommandFailedError(f"{command[0]}: Cannot connect to the daemon")
        return "Server: fine"

    return ask


class Recorded:
    """What was run, in the place of running it."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str | Path]) -> str:
        self.commands.append([str(part) for part in command])
        return ""


def node(labels: dict[str, str] | None = None, provider: str = "") -> dict[str, object]:
    return {"metadata": {"labels": labels or {}}, "spec": {"providerID": provider} if provider else {}}


def test_the_engine_that_answers_builds() -> None:
    docker, podman = (engines.maker(answering(*names), user=1000) for names in (("docker", "podman"), ("podman",)))
    assert isinstance(docker, Engine)
    assert isinstance(podman, Engine)
    assert (docker.program, podman.program) == ("docker", "podman")


def test_without_an_engine_that_answers_this_repository_builds() -> None:
    assert isinstance(engines.maker(answering(), user=0), Here)


def test_who_can_build_in_no_way_is_told_what_each_engine_said() -> None:
    with pytest.raises(RuntimeError, match=r"docker: Cannot connect(?s:.)*podman: Cannot connect(?s:.)*as root"):
        engines.maker(answering(), user=1000)


def test_an_engine_builds_the_stage_of_the_image_from_a_copy_of_its_sources() -> None:
    run = Recorded()
    reference = Engine("docker", run).image("drift-detector-native")
    (command,) = run.commands
    assert command[:4] == ["docker", "build", "--quiet", "--tag"]
    assert command[4] == reference
    assert reference.startswith("docker.io/leeway/drift-detector-native:")
    assert command[command.index("--target") + 1] == "native"
    assert command[command.index("--file") + 1] == f"{command[-1]}/drift-detector/Containerfile"


def test_equal_sources_give_equal_tags() -> None:
    first, second = (Engine("docker", Recorded()).image("onnx-server") for _ in range(2))
    assert first == second


def test_a_bundle_is_put_below_models(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"version": "1.0.0"}))
    run = Recorded()
    reference = Engine("podman", run).model(tmp_path, "flights")
    assert reference.startswith("docker.io/leeway/model-flights:1.0.0-")
    assert run.commands[0][-1] == str(tmp_path)


def test_an_engine_gives_an_image_away(tmp_path: Path) -> None:
    run = Recorded()
    engine = Engine("podman", run)
    archive = engine.archive("docker.io/leeway/operators:0.1.0-abc", tmp_path)
    engine.push("docker.io/leeway/operators:0.1.0-abc", "registry/leeway/operators:0.1.0-abc")
    assert archive.parent == tmp_path
    assert run.commands == [
        ["podman", "save", "--output", str(archive), "docker.io/leeway/operators:0.1.0-abc"],
        ["podman", "tag", "docker.io/leeway/operators:0.1.0-abc", "registry/leeway/operators:0.1.0-abc"],
        ["podman", "push", "registry/leeway/operators:0.1.0-abc"],
    ]


def test_nodes_say_themselves_what_they_are() -> None:
    server = "https://10.0.0.1:6443"
    minikube = {"items": [node({"minikube.k8s.io/name": "dev", "minikube.k8s.io/primary": "true"})]}
    kind = {"items": [node(provider="kind://podman/leeway/leeway-control-plane")]}
    cloud = {"items": [node(provider="aws:///eu-central-1a/i-0123456789")]}
    assert reach.nodes(minikube, server, {}) == Nodes("minikube", "dev")
    assert reach.nodes(kind, server, {}) == KIND
    assert reach.nodes(cloud, server, {"leeway": "https://10.200.0.1:6443"}) is None
    assert reach.nodes({"items": [node()]}, server, {"other": server}) == Nodes("built-in", "other")


def test_images_are_loaded_by_the_command_of_the_nodes() -> None:
    archive = Path("operators.tar")
    assert carry.load_command(Nodes("minikube", "dev"), archive) == [
        "minikube", "image", "load", archive, "--profile", "dev",
    ]  # fmt: skip
    assert carry.load_command(KIND, archive) == [
        "env", "KIND_EXPERIMENTAL_PROVIDER=podman", "kind", "load", "image-archive", archive, "--name", "leeway",
    ]  # fmt: skip


def test_a_loaded_image_keeps_its_name() -> None:
    run, building = Recorded(), Recorded()
    carried = carry.Loaded(Nodes("minikube", "dev"), run).carry(Engine("docker", building), "docker.io/leeway/x:1")
    assert carried == "docker.io/leeway/x:1"
    assert building.commands[0][:2] == ["docker", "save"]
    assert run.commands[0][3] == building.commands[0][3]


def test_a_pushed_image_has_the_registrys_name() -> None:
    run = Recorded()
    carrier = carry.carrier("prod", None, "registry.example.com:5000/team/", answering())
    carried = carrier.carry(Engine("docker", run), "docker.io/leeway/x:1")
    assert carrier.registry == "registry.example.com:5000/team"
    assert carried == "registry.example.com:5000/team/leeway/x:1"
    assert run.commands[-1] == ["docker", "push", carried]


def test_a_registry_goes_before_loading() -> None:
    assert isinstance(carry.carrier("kind-leeway", KIND, "registry.example.com", answering()), carry.Registry)


def test_nodes_of_an_engine_that_does_not_answer_are_told_before_anything_is_built() -> None:
    with pytest.raises(CommandFailedError, match="podman: Cannot connect"):
        carry.carrier("kind-leeway", KIND, "", answering("docker"))
    assert isinstance(carry.carrier("kind-leeway", KIND, "", answering("podman")), carry.Loaded)


def test_nodes_without_a_way_are_told_what_to_name() -> None:
    with pytest.raises(carry.NoWayError, match=r"make up CONTEXT=prod IMAGE_REGISTRY=registry\.example\.com/team"):
        carry.carrier("prod", None, "", answering("docker"))
