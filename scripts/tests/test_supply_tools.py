"""The programs of the supply chain are pinned by their modules' sums, and by nothing that a person would forget."""

import re

from supply import programs

PACKAGE = re.compile(r'_built\("(?P<group>[a-z]+)", "(?P<package>[^"]+)"\)')


def test_every_program_is_of_a_module_that_its_group_requires_and_pins() -> None:
    source = (programs.TOOLS.parent / "programs.py").read_text(encoding="utf-8")
    asked = PACKAGE.findall(source)
    assert {group for group, _ in asked} == {folder.name for folder in programs.TOOLS.iterdir()}
    for group, package in asked:
        required = re.findall(
            r"^(?:require )?\s*(\S+/\S+) (v\S+)", (programs.TOOLS / group / "go.mod").read_text(), re.MULTILINE
        )
        module, version = max(((m, v) for m, v in required if package.startswith(m)), key=lambda found: len(found[0]))
        assert f"{module} {version} h1:" in (programs.TOOLS / group / "go.sum").read_text()
