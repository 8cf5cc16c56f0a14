"""What is signed is a digest, by somebody who is named; and a check that accepts anything is found out.

cosign itself runs in `make supply-chain`; here a stand-in writes down what it is told.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.shell import CommandFailedError
from supply import registry, trial
from supply.signing import Key, NotSignedError, Signer, Workflow

DIGEST = f"ghcr.io/leeway-dev/leeway/onnx-server@sha256:{'ab' * 32}"
KEY = Key(Path("ours.key"), Path("ours.pub"))
ISSUER = "https://token.actions.githubusercontent.com"
RELEASE = Workflow(r"^https://github\.com/leeway-dev/leeway/", ISSUER)
Program = Callable[[str], Path]


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return tmp_path / "told"


@pytest.fixture
def program(tmp_path: Path, told: Path) -> Program:
    """A program that notes its arguments, a line per call, and then does `script`."""

    def make(script: str) -> Path:
        file = tmp_path / "program"
        file.write_text(f'#!/bin/sh\necho "$@" >> {told}\n{script}\n')
        file.chmod(0o755)
        return file

    return make


def test_an_image_is_signed_and_its_sbom_attested_by_digest(program: Program, told: Path, tmp_path: Path) -> None:
    sbom = tmp_path / "sbom.json"
    Signer(program("exit 0"), KEY).sign(DIGEST, sbom)

    signed, attested = told.read_text().splitlines()
    assert signed.startswith("sign ")
    assert attested.startswith("attest ")
    assert f"--type cyclonedx --predicate {sbom}" in attested
    for line in (signed, attested):
        assert line.endswith(DIGEST)
        assert "--key ours.key" in line


@pytest.mark.parametrize("reference", ["ghcr.io/leeway-dev/leeway/onnx-server:0.1.0", "onnx-server@sha256:abc"])
def test_a_tag_is_never_signed_nor_believed(program: Program, told: Path, reference: str) -> None:
    signer = Signer(program("exit 0"), KEY)
    with pytest.raises(ValueError, match="expected repository@sha256"):
        signer.sign(reference)
    with pytest.raises(ValueError, match="expected repository@sha256"):
        signer.verify(reference, sbom=False)
    assert not told.exists()


def test_a_workflow_signs_without_a_key_and_is_known_by_name_and_issuer(program: Program, told: Path) -> None:
    signer = Signer(program("exit 0"), RELEASE)
    signer.sign(DIGEST)
    signer.verify(DIGEST, sbom=True)

    signed, *verified = told.read_text().splitlines()
    assert signed == f"sign --yes {DIGEST}"
    assert [line.split()[0] for line in verified] == ["verify", "verify-attestation"]
    for line in verified:
        assert f"--certificate-identity-regexp {RELEASE.identity}" in line
        assert f"--certificate-oidc-issuer {ISSUER}" in line


def test_only_a_registry_without_tls_is_spoken_to_without(program: Program, told: Path) -> None:
    Signer(program("exit 0"), KEY).verify(DIGEST, sbom=False)
    Signer(program("exit 0"), KEY, plain_http=True).verify(DIGEST, sbom=False)
    assert ["--allow-http-registry" in line for line in told.read_text().splitlines()] == [False, True]


def test_a_missing_attestation_is_no_signed_image(program: Program) -> None:
    without = program('[ "$1" = verify ] || { echo "no matching attestations" >&2; exit 1; }')
    with pytest.raises(NotSignedError, match=rf"{DIGEST}: .*\n.*no matching attestations"):
        Signer(without, KEY).verify(DIGEST, sbom=True)


def test_a_cosign_that_fails_to_sign_says_why(program: Program) -> None:
    with pytest.raises(CommandFailedError, match="denied"):
        Signer(program("echo denied >&2; exit 1"), KEY).sign(DIGEST)


def test_a_check_that_accepts_anything_is_found_out(program: Program) -> None:
    with pytest.raises(NotSignedError, match="the signature by another key to be refused, it was accepted"):
        trial.must_refuse(Signer(program("exit 0"), KEY), DIGEST, "by another key")


def test_a_check_that_refuses_passes(program: Program) -> None:
    trial.must_refuse(Signer(program("exit 1"), KEY), DIGEST, "by another key")


def test_the_registry_lives_as_long_as_it_is_used(program: Program, tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    serving = program(
        f"trap 'touch {stopped}; kill $!; exit' TERM\necho 'log: serving on port 41234' >&2\nsleep 60 & wait"
    )
    with registry.local(serving) as address:
        assert address == "127.0.0.1:41234"
        assert not stopped.exists()
    assert stopped.exists()


def test_a_registry_that_does_not_start_says_why(program: Program) -> None:
    with (
        pytest.raises(RuntimeError, match=r"did not start: .*address in use"),
        registry.local(program("echo 'address in use' >&2; exit 1")),
    ):
        pytest.fail("there is no registry")
