"""A promotion changes one bundle of one environment, and says what it did."""

from pathlib import Path

import pytest
import yaml

from supply.environments import DEPLOY, Environments

BLOCK = {
    "storageUri": f"oci://ghcr.io/leeway-dev/leeway/model-flights@sha256:{'1' * 64}",
    "version": "1.1.0",
    "digest": f"sha256:{'ab' * 32}",
}
OTHER = BLOCK | {"version": "1.2.0", "digest": f"sha256:{'cd' * 32}"}


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    """The repository's own files, whatever they hold."""
    for file in DEPLOY.glob("models-*.yaml"):
        header = "".join(line for line in file.read_text().splitlines(keepends=True) if line.startswith("#"))
        (tmp_path / file.name).write_text(f"{header}models: {{}}\n")
    return Environments(tmp_path)


def models(environments: Environments, environment: str) -> dict[str, object]:
    content: dict[str, object] = yaml.safe_load(environments.file(environment).read_text())["models"]
    return content


def test_a_release_names_the_bundle_and_leaves_other_models_alone(environments: Environments) -> None:
    assert environments.release("dev", "flights", BLOCK) == "Release flights 1.1.0 to dev"
    environments.release("dev", "fares", OTHER)
    environments.release("dev", "flights", OTHER)
    assert models(environments, "dev") == {"fares": {"model": OTHER}, "flights": {"model": OTHER}}
    assert models(environments, "staging") == {}


def test_a_promotion_carries_the_very_bundle_on(environments: Environments) -> None:
    environments.release("dev", "flights", BLOCK)
    assert environments.promote("flights", "dev", "staging") == "Release flights 1.1.0 to staging"
    environments.promote("flights", "staging", "prod")
    assert models(environments, "prod") == models(environments, "dev")


def test_what_the_file_says_of_itself_stays(environments: Environments) -> None:
    comment, _, _ = environments.file("dev").read_text().partition("models: {}")
    environments.release("dev", "flights", BLOCK)
    assert comment.startswith("# What runs in dev")
    assert environments.file("dev").read_text().startswith(f"{comment}models:\n  flights:\n")


def test_nothing_to_do_is_said_and_not_committed(environments: Environments) -> None:
    environments.release("dev", "flights", BLOCK)
    with pytest.raises(ValueError, match=r"flights 1.1.0 is what dev runs already"):
        environments.release("dev", "flights", BLOCK)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fares", "dev", "staging"), "dev does not run fares; it runs flights"),
        (("flights", "dev", "production"), "environment 'production': expected one of dev, prod, staging"),
        (("flights", "staging", "prod"), "staging does not run flights; it runs no model"),
    ],
)
def test_a_promotion_that_cannot_be_says_why(
    environments: Environments, arguments: tuple[str, str, str], message: str
) -> None:
    environments.release("dev", "flights", BLOCK)
    with pytest.raises(ValueError, match=message):
        environments.promote(*arguments)


@pytest.mark.parametrize("block", [{}, BLOCK | {"digest": "sha256:short"}, BLOCK | {"env": "x"}])
def test_a_bundle_without_its_digest_is_released_nowhere(environments: Environments, block: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected storageUri, version, digest"):
        environments.release("dev", "flights", block)
