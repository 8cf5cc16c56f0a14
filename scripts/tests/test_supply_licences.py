"""A package gets into an image by a licence that is known and free, and by no other way."""

import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from cluster import paths
from supply.contents import Package
from supply.licences import POLICY, Policy, Refusal, expression, faults

LISTED = subprocess.run(
    ["git", "ls-files", "*uv.lock"], cwd=paths.REPOSITORY, capture_output=True, text=True, check=True
)
LOCKS = [paths.REPOSITORY / line for line in LISTED.stdout.splitlines()]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.read()


def package(*stated: str, name: str = "thing", version: str | None = "1.0") -> Package:
    return Package("pypi", name, version, stated)


@pytest.mark.parametrize(
    "stated",
    [
        ("MIT",),
        ("Apache Software License",),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)",),
        ("GPL-3.0-only OR MIT",),
        ("BSD License", "BSD 3-Clause License"),
    ],
    ids=" / ".join,
)
def test_a_free_licence_is_nothing_to_speak_of(policy: Policy, stated: tuple[str, ...]) -> None:
    assert faults([package(*stated)], policy) == []


@pytest.mark.parametrize(
    "stated",
    ["GPL-3.0-only", "BUSL-1.1", "SSPL-1.0", "MIT AND AGPL-3.0-only", "CC-BY-NC-4.0", "Elastic-2.0"],
)
def test_a_licence_that_is_not_allowed_is_named(policy: Policy, stated: str) -> None:
    (fault,) = faults([package(stated)], policy)
    assert fault == f"thing 1.0: {stated}, expected one that licences.toml allows"


@pytest.mark.parametrize("stated", [(), ("BSD License",), ("see LICENSE",), ("Business Source License 1.1",)])
def test_a_licence_that_is_not_known_has_to_be_read_by_a_person(policy: Policy, stated: tuple[str, ...]) -> None:
    (fault,) = faults([package(*stated)], policy)
    assert "expected a licence in SPDX's words" in fault
    assert all(text in fault for text in stated)


def test_what_a_person_has_read_counts_where_metadata_says_too_little(policy: Policy) -> None:
    silent = package("BSD License", name="scipy")
    assert expression(silent, policy) == "BSD-3-Clause"
    assert expression(package("BUSL-1.1", name="scipy"), policy) == "BUSL-1.1"


@pytest.mark.parametrize("version", ["0.11.5", "0.12.0", "0.13.0.dev1", "1.0"])
def test_alibi_detect_under_the_business_source_licence_is_refused_whatever_it_says(
    policy: Policy, version: str
) -> None:
    (fault,) = faults([package("Apache-2.0", name="alibi-detect", version=version)], policy)
    assert fault.startswith(f"alibi-detect {version}: Business Source License 1.1")


def test_the_last_free_alibi_detect_is_welcome(policy: Policy) -> None:
    assert faults([package("Apache-2.0", name="alibi-detect", version="0.11.4")], policy) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda file: str(file.parent.relative_to(paths.REPOSITORY)))
def test_no_lock_holds_a_refused_release(policy: Policy, lock: Path) -> None:
    locked = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    for found in locked:
        for refusal in policy.refused:
            assert not (found["name"] == refusal.name and found.get("version", "0") in refusal.versions)


def test_the_lock_that_has_alibi_detect_is_among_them() -> None:
    (lock,) = (file for file in LOCKS if file.parent.name == "alibi")
    assert any(found["name"] == "alibi-detect" for found in tomllib.loads(lock.read_text(encoding="utf-8"))["package"])


def test_debians_licences_are_listed_and_not_judged(policy: Policy) -> None:
    assert faults([Package("deb", "coreutils", "9.1", ("GPL-3+",))], policy) == []


def test_a_refusal_holds_for_trusted_packages_too(policy: Policy) -> None:
    strict = Policy(
        policy.allowed, policy.trusted, policy.names, policy.declared, (Refusal("bash", SpecifierSet("<5"), "old"),)
    )
    assert faults([Package("deb", "bash", "4.4", ())], strict) == ["bash 4.4: old (versions <5 are refused)"]


def test_a_policy_with_a_licence_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "licences.toml"
    file.write_text(POLICY.read_text().replace('"Apache-2.0", "BSD-2', '"Apache-2.O", "BSD-2'))
    with pytest.raises(ValueError, match=r"'Apache-2.O': expected an SPDX licence"):
        Policy.read(file)


def test_a_policy_without_a_part_says_which(tmp_path: Path) -> None:
    file = tmp_path / "licences.toml"
    file.write_text("allowed = []\n")
    with pytest.raises(ValueError, match="expected 'trusted'"):
        Policy.read(file)
