"""Carries images and the chart to a registry, signs them by digest, and checks what lies there."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cluster.fetch import tools
from cluster.shell import run
from supply.manifests import CHART, image_values
from supply.signing import Signer


@dataclass(frozen=True)
class Published:
    """What lies in the registry: name → reference with digest."""

    images: Mapping[str, str]
    chart: str

    def text(self) -> str:
        """One reference per line, the chart last."""
        return "".join(f"{reference}\n" for reference in (*self.images.values(), self.chart))

    def pinned(self, registry: str, version: str) -> dict[str, Any]:
        """Values by which the chart runs these very images, whatever their tags come to mean."""
        tags = {name: f"{version}@{reference.partition('@')[2]}" for name, reference in self.images.items()}
        return {"images": {"registry": registry, **image_values(tags)}}

    def subjects(self) -> str:
        """As `sha256sum` writes it, which is how provenance is told what it is of."""
        pairs = (reference.split("@sha256:") for reference in (*self.images.values(), self.chart))
        return "".join(f"{digest}  {name}\n" for name, digest in pairs)


@dataclass(frozen=True)
class Registry:
    """A registry and the programs that carry to it.

    Attributes:
        address: host, port if any, and the path below which everything goes, such as "ghcr.io/leeway-dev".
        crane: the program that carries images.
        plain_http: whether it speaks no TLS.
    """

    address: str
    crane: Path
    plain_http: bool = False

    def login(self, user: str, password: str) -> None:
        """Log in, in the file that crane, cosign and helm all read (~/.docker/config.json).

        Raises:
            CommandFailedError: the file could not be written.
        """
        host = self.address.partition("/")[0]
        run([self.crane, "auth", "login", host, "--username", user, "--password-stdin"], stdin=password)

    def push_image(self, archive: Path, name: str, tag: str) -> str:
        """Push an image's archive as <address>/leeway/<name>:<tag>; return its reference by digest.

        Raises:
            CommandFailedError: the registry refused; the message is its own.
        """
        insecure = ["--insecure"] if self.plain_http else []
        return run([self.crane, "push", *insecure, archive, f"{self.address}/leeway/{name}:{tag}"]).strip()

    def push_chart(self, folder: Path) -> str:
        """Package the chart into `folder` and push it to <address>/charts; return its reference by digest.

        Raises:
            CommandFailedError: helm failed; the message is its own.
            ValueError: helm names no digest.
        """
        helm = tools.fetch() / "helm"
        run([helm, "package", CHART, "--destination", folder])
        (package,) = folder.glob("leeway-*.tgz")
        plain = ["--plain-http"] if self.plain_http else []
        # Helm tells what it pushed on standard error in some versions.
        printed = run(["sh", "-c", '"$@" 2>&1', "sh", helm, "push", *plain, package, f"oci://{self.address}/charts"])
        digest = re.search(r"sha256:[0-9a-f]{64}", printed)
        if not digest:
            raise ValueError(f"helm push of {package.name}: expected a digest, it printed {printed!r}")
        return f"{self.address}/charts/leeway@{digest[0]}"

    def released(self, names: Iterable[str], version: str) -> Published:
        """Return what the registry has of a version, by digest; nothing of it is checked.

        Raises:
            CommandFailedError: an image or the chart is not in the registry.
        """
        images = {name: self._by_digest(f"{self.address}/leeway/{name}", version) for name in names}
        return Published(images, self._by_digest(f"{self.address}/charts/leeway", version))

    def _by_digest(self, repository: str, tag: str) -> str:
        insecure = ["--insecure"] if self.plain_http else []
        return f"{repository}@{run([self.crane, 'digest', *insecure, f'{repository}:{tag}']).strip()}"


def publish(
    registry: Registry,
    signer: Signer,
    archives: Mapping[str, tuple[Path, Path]],
    tag: str,
    work: Path,
) -> Published:
    """Push, sign and check every image and the chart.

    Args:
        registry: where they go.
        signer: who signs them.
        archives: an image's name → its archive and its SBOM.
        tag: of the images: the chart's appVersion is what the chart asks for.
        work: an empty folder.

    Raises:
        CommandFailedError: a program failed.
        NotSignedError: what lies in the registry is not what was signed.
    """
    images = {}
    for name, (archive, sbom) in archives.items():
        images[name] = registry.push_image(archive, name, tag)
        signer.sign(images[name], sbom)
    published = Published(images, registry.push_chart(work))
    signer.sign(published.chart)
    verify(published, signer)
    return published


class Verifier(Protocol):
    """Who tells of a reference whether it is signed by whom it has to be; `Signer` does."""

    def verify(self, reference: str, *, sbom: bool) -> None:
        """Raise NotSignedError if it is not, or if no SBOM is attested where there has to be one."""


def verify(published: Published, signer: Verifier) -> None:
    """Check who signed the images, their SBOMs, and the chart.

    Raises:
        NotSignedError: one of them is not signed by whom it has to be.
    """
    for reference in published.images.values():
        signer.verify(reference, sbom=True)
    signer.verify(published.chart, sbom=False)
