"""The cluster's programs, built from upstream's modules or taken from wheels and Debian packages."""

from pathlib import Path

from cluster.fetch import golang

# Both carry the version: servers report component-base's, clients client-go's, and charts check what is reported.
_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def kubernetes(version: str) -> Path:
    """Return the folder with `kubernetes`, the multi-call binary of the node, and `pause`.

    Args:
        version: what the binaries report, such as "1.36.3"; the modules' own versions are in go.mod.
    """
    major, minor, _ = version.split(".")
    variables = {
        f"{package}.{name}": value
        for package in _VERSION_PACKAGES
        for name, value in (
            ("gitVersion", f"v{version}"), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "archive"),
        )
    }  # fmt: skip
    return golang.build("kubernetes", [".", "./pause"], variables=variables)
