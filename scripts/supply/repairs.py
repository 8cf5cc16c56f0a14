"""Tells whether Debian has newer versions of what an image holds: in a stable release those are repairs."""

import json
from collections.abc import Mapping


def held(sbom: str) -> dict[str, str]:
    """Return name and version of each Debian package that an SBOM (CycloneDX JSON) names."""
    components = json.loads(sbom)["components"]
    return {each["name"]: each["version"] for each in components if each.get("purl", "").startswith("pkg:deb/")}


def behind(held: Mapping[str, str], newest: Mapping[str, str]) -> list[str]:
    """Return a line for each package of which Debian has another version today, or none at all.

    Args:
        held: name → version.
        newest: the same, of today.
    """
    return [
        f"{name} {version}: Debian has {newest.get(name, 'none of that name')}"
        for name, version in sorted(held.items())
        if newest.get(name) != version
    ]
