"""Signs images by digest and says what they are made of, and checks both, with cosign."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cluster.shell import CommandFailedError, run

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


class Identity(Protocol):
    """With what is signed, and by what a signature is known."""

    def sign_arguments(self) -> list[str]:
        """What `cosign sign` and `cosign attest` are told."""

    def verify_arguments(self) -> list[str]:
        """What `cosign verify` and `cosign verify-attestation` are told."""


@dataclass(frozen=True)
class Key:
    """A key pair in files; nothing is written to a public log, so that it works where there is no network."""

    private: Path
    public: Path

    def sign_arguments(self) -> list[str]:
        """The key, and neither log nor authority."""
        return ["--key", str(self.private), "--tlog-upload=false", "--use-signing-config=false"]

    def verify_arguments(self) -> list[str]:
        """The public key; the log cannot know what was not written to it."""
        return ["--key", str(self.public), "--insecure-ignore-tlog=true"]


@dataclass(frozen=True)
class Workflow:
    """A workflow that shows who it is by its OIDC token: no key to keep, and each signature in the public log.

    Attributes:
        identity: a regular expression of the workflow's URL and ref.
        issuer: of the token.
    """

    identity: str
    issuer: str

    def sign_arguments(self) -> list[str]:
        """Nothing: cosign finds the token in its environment."""
        return []

    def verify_arguments(self) -> list[str]:
        """Who must have signed; a signature of anybody else is none."""
        return ["--certificate-identity-regexp", self.identity, "--certificate-oidc-issuer", self.issuer]


class NotSignedError(RuntimeError):
    """An image is not signed by whom it has to be, or nothing is attested of it."""


def key_pair(cosign: Path, folder: Path) -> Key:
    """Make a new key pair in `folder`, without a password: it lives for one run.

    Raises:
        CommandFailedError: cosign failed.
    """
    run([cosign, "generate-key-pair", "--output-key-prefix", folder / "signing"], env={"COSIGN_PASSWORD": ""})
    return Key(folder / "signing.key", folder / "signing.pub")


@dataclass(frozen=True)
class Signer:
    """cosign, for images in one registry.

    Attributes:
        cosign: the program.
        identity: who signs.
        plain_http: whether the registry speaks no TLS.
    """

    cosign: Path
    identity: Identity
    plain_http: bool = False

    def sign(self, reference: str, sbom: Path | None = None) -> None:
        """Sign `reference` and, given an SBOM (CycloneDX JSON), attest it.

        Raises:
            CommandFailedError: cosign failed; the message is its own.
            ValueError: the reference has no digest: a tag may be another image by the time it is signed.
        """
        _check(reference)
        self._run("sign", "--yes", *self.identity.sign_arguments(), reference)
        if sbom is not None:
            predicate = ["--type", "cyclonedx", "--predicate", str(sbom)]
            self._run("attest", "--yes", *predicate, *self.identity.sign_arguments(), reference)

    def verify(self, reference: str, *, sbom: bool) -> None:
        """Check the signature and, with `sbom`, that an SBOM is attested.

        Raises:
            NotSignedError: one of them is missing, of somebody else, or of another image.
            ValueError: the reference has no digest.
        """
        _check(reference)
        arguments = self.identity.verify_arguments()
        try:
            self._run("verify", *arguments, reference)
            if sbom:
                self._run("verify-attestation", "--type", "cyclonedx", *arguments, reference)
        except CommandFailedError as error:
            raise NotSignedError(f"{reference}: {error}") from error

    def _run(self, command: str, *arguments: str) -> None:
        registry = ["--allow-http-registry"] if self.plain_http else []
        run([self.cosign, command, *registry, *arguments], env={"COSIGN_PASSWORD": ""})


def _check(reference: str) -> None:
    if not _DIGEST.search(reference):
        raise ValueError(f"{reference}: expected repository@sha256:…, since what is signed is a digest")
