"""The programs that sign and search, built from pinned Go modules like everything else here."""

from pathlib import Path

from cluster.fetch import golang

TOOLS = Path(__file__).with_name("tools")


def crane() -> Path:
    """Return crane, which carries images to registries and can be one."""
    return _built("signing", "github.com/google/go-containerregistry/cmd/crane")


def cosign() -> Path:
    """Return cosign, which signs images and what is said about them."""
    return _built("signing", "github.com/sigstore/cosign/v3/cmd/cosign")


def gitleaks() -> Path:
    """Return gitleaks, which looks for secrets in a history."""
    return _built("secrets", "github.com/zricethezav/gitleaks/v8")


def actionlint() -> Path:
    """Return actionlint, which reads workflows as GitHub would."""
    return _built("workflows", "github.com/rhysd/actionlint/cmd/actionlint")


def _built(group: str, package: str) -> Path:
    folder = golang.build(group, [package], tools=TOOLS)
    return next(folder.iterdir())
