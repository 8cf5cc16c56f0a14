"""Every image tells scanners what of Debian it holds: by dpkg's records, each with a version and a copyright file."""

import re

import pytest

from images import base
from images.build import IMAGES, build
from supply import archives, contents


@pytest.mark.parametrize("name", IMAGES)
def test_every_package_of_debian_has_a_version_a_source_and_a_copyright(name: str) -> None:
    image = archives.read(build(name).archive, contents.wanted)

    found = {package.name: package for package in contents.packages(image) if package.kind == "deb"}

    assert set(found) == set(base.PACKAGES)
    assert {package.name for package in found.values() if not re.match(r"\d", package.version)} == set()
    assert found["libssl3"].source == "openssl"  # whose advisories are about it
    documents = {f"usr/share/doc/{image.links.get(f'usr/share/doc/{package}', package)}/copyright" for package in found}
    assert documents <= set(image.files)
