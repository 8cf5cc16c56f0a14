"""Which licences the packages of an image have, and which of them may not be there."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from boolean.boolean import Expression, ParseError  # what license-expression parses to
from license_expression import AND, OR, ExpressionError, get_spdx_licensing
from packaging.specifiers import SpecifierSet

from supply.contents import Package

POLICY = Path(__file__).with_name("licences.toml")
_SPDX = get_spdx_licensing()


@dataclass(frozen=True)
class Refusal:
    """Releases of a package that may not be there, whatever their metadata says."""

    name: str
    versions: SpecifierSet
    reason: str


@dataclass(frozen=True)
class Policy:
    """What licences.toml says; its comments explain each part."""

    allowed: frozenset[str]
    trusted: frozenset[str]
    names: Mapping[str, str]
    declared: Mapping[str, str]
    refused: tuple[Refusal, ...]

    @classmethod
    def read(cls, file: Path = POLICY) -> Self:
        """Return the policy in `file`.

        Raises:
            ValueError: a part is missing, or a licence in it is none of SPDX's.
        """
        content: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        try:
            policy = cls(
                allowed=frozenset(content["allowed"]),
                trusted=frozenset(content["trusted"]),
                names=content["names"],
                declared={name: entry["licence"] for name, entry in content["declared"].items()},
                refused=tuple(
                    Refusal(entry["name"], SpecifierSet(entry["versions"], prereleases=True), entry["reason"])
                    for entry in content["refused"]
                ),
            )
        except KeyError as error:
            raise ValueError(f"{file}: expected {error}") from error
        for licence in (*policy.allowed, *policy.names.values(), *policy.declared.values()):
            if _parse(licence) is None:
                raise ValueError(f"{file}: {licence!r}: expected an SPDX licence or expression")
        return policy


def expression(package: Package, policy: Policy) -> str | None:
    """Return the package's licence as an SPDX expression; None if neither its metadata nor the policy gives one."""
    for text in package.stated:
        parsed = _parse(policy.names.get(text, text))
        if parsed is not None:
            return str(parsed)
    return policy.declared.get(package.name)


def faults(packages: Iterable[Package], policy: Policy) -> list[str]:
    """Return what is wrong with the packages, a sentence each; nothing is said of a package that may be there."""
    return [fault for package in packages if (fault := _fault(package, policy))]


def _fault(package: Package, policy: Policy) -> str | None:
    title = f"{package.name} {package.version or '(no version)'}"
    for refusal in policy.refused:
        if package.name == refusal.name and package.version and package.version in refusal.versions:
            return f"{title}: {refusal.reason} (versions {refusal.versions} are refused)"
    if package.kind in policy.trusted:
        return None
    found = expression(package, policy)
    if found is None:
        stated = f"its metadata says {', '.join(package.stated)}" if package.stated else "its metadata says nothing"
        return f"{title}: expected a licence in SPDX's words, {stated}; read it and declare it in {POLICY.name}"
    parsed = _parse(found)
    if parsed is None or not _allowed(parsed, policy):
        return f"{title}: {found}, expected one that {POLICY.name} allows"
    return None


def _allowed(parsed: Expression, policy: Policy) -> bool:
    """An OR is a choice; what stands beside an AND binds all the same. An exception counts with its licence."""
    if isinstance(parsed, OR):
        return any(_allowed(part, policy) for part in parsed.args)
    if isinstance(parsed, AND):
        return all(_allowed(part, policy) for part in parsed.args)
    return str(parsed) in policy.allowed


def _parse(text: str) -> Expression | None:
    try:
        return _SPDX.parse(text, validate=True, strict=True)
    except (ExpressionError, ParseError):
        return None
