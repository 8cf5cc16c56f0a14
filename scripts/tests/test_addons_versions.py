"""versions.toml is the one list: what is built in tools/ and what charts are given must agree with it."""

import re
from collections.abc import Iterator

import pytest

from cluster import paths, versions
from cluster.versions import Module

_REQUIREMENT = re.compile(r"^(?:require )?\s*(?P<path>[\w./~-]+) (?P<version>v\S+)", re.MULTILINE)


def required(group: str) -> Iterator[tuple[str, str]]:
    """The modules that tools/<group>/go.mod requires, before its replacements."""
    text = (paths.TOOLS / group / "go.mod").read_text(encoding="utf-8").partition("\nreplace ")[0]
    for found in _REQUIREMENT.finditer(text):
        yield found["path"], found["version"]


def built() -> list[Module]:
    return [module for module in versions.modules().values() if module.group]


@pytest.mark.parametrize("module", built(), ids=lambda module: module.path)
def test_what_is_built_is_what_is_listed(module: Module):
    assert module.group is not None
    assert dict(required(module.group)).get(module.path) == module.version


def test_every_group_of_tools_is_listed():
    folders = {folder.name for folder in paths.TOOLS.iterdir() if (folder / "go.mod").exists()}
    assert folders == {module.group for module in built()}


def test_the_kubernetes_libraries_of_the_node_are_those_of_its_version():
    text = (paths.TOOLS / "kubernetes/go.mod").read_text(encoding="utf-8").partition("\nreplace ")[2]
    staged = set(re.findall(r"=> k8s\.io/\S+ (v\S+)", text))
    assert staged == {"v0." + versions.kubernetes().partition(".")[2]}


def test_a_module_without_go_sum_is_pinned_by_its_hash():
    sums = {name: module.sum for name, module in versions.modules().items() if module.group is None}
    assert sums
    assert all(re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=", found or "") for found in sums.values())


@pytest.mark.parametrize("given", [{}, {"group": "kubernetes", "sum": "h1:x"}], ids=["neither", "both"])
def test_a_module_is_either_built_or_a_source_of_files(given: dict[str, str]):
    with pytest.raises(ValueError, match="either a group"):
        Module("example.org/x", "v1.0.0", **given)


@pytest.mark.parametrize("name", ["envoy", "traefik", "helm-and-kubectl"])
def test_wheels_are_pinned_exactly(name: str):
    assert re.fullmatch(r"[a-z0-9-]+==\d+(\.\d+)+", versions.wheel(name))
