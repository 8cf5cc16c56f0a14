"""An image whose Debian packages have been repaired since is told, with what to have instead."""

import json

from cluster.fetch import debian
from supply import repairs

POLICY = """libssl3:
  Installed: 3.0.17-1
  Candidate: 3.0.18-1
  Version table:
     3.0.18-1 500
        500 https://debian.example/debian-security bookworm-security/main amd64 Packages
dash:
  Installed: (none)
  Candidate: 0.5.12-2
  Version table:
gone:
  Installed: (none)
  Candidate: (none)
  Version table:
"""


def test_what_apt_would_install_is_the_newest() -> None:
    assert debian.policies(POLICY) == {"libssl3": "3.0.18-1", "dash": "0.5.12-2"}


def test_a_package_with_another_version_today_is_told_and_one_without_a_version_too() -> None:
    held = {"libssl3": "3.0.17-1", "dash": "0.5.12-2", "gone": "1"}
    assert repairs.behind(held, debian.policies(POLICY)) == [
        "gone 1: Debian has none of that name",
        "libssl3 3.0.17-1: Debian has 3.0.18-1",
    ]


def test_packages_are_those_of_the_sbom() -> None:
    components = [
        {"name": "dash", "version": "0.5.12-2", "purl": "pkg:deb/debian/dash@0.5.12-2?arch=amd64"},
        {"name": "numpy", "version": "2.4.6", "purl": "pkg:pypi/numpy@2.4.6"},
        {"name": "debian", "version": "12"},
    ]
    assert repairs.held(json.dumps({"components": components})) == {"dash": "0.5.12-2"}
