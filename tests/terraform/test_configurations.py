"""Every module and every root: formatted, valid against the providers' schemas, tested with mocks, documented."""

import re

import pytest

from infrastructure import stand_in
from terraform.conftest import SOURCE, Terraform, folders

_VARIABLE = re.compile(r'^variable "(\w+)" \{$(.*?)^\}$', re.MULTILINE | re.DOTALL)
_OUTPUT = re.compile(r'^output "(\w+)" \{$(.*?)^\}$', re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r'^(?:resource|data) "([a-z0-9]+_\w+)"', re.MULTILINE)


def test_everything_is_formatted(terraform: Terraform) -> None:
    assert terraform(".", "fmt", "-check", "-recursive", "-diff") == ""


@pytest.mark.parametrize("folder", folders())
def test_it_is_valid_and_passes_its_own_tests(terraform: Terraform, folder: str) -> None:
    terraform.init(folder)
    terraform(folder, "validate", "-no-color")
    told = terraform(folder, "test", "-no-color")
    passed = re.search(r"Success! (\d+) passed, 0 failed", told)
    assert passed, told
    assert int(passed[1]) > 0, f"terraform/{folder} has no test"


@pytest.mark.parametrize("folder", folders())
def test_it_has_the_files_that_people_look_for(folder: str) -> None:
    expected = {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"}
    assert expected <= {file.name for file in (SOURCE / folder).iterdir()}


@pytest.mark.parametrize("folder", folders())
def test_what_goes_in_is_typed_and_described(folder: str) -> None:
    for name, body in _VARIABLE.findall((SOURCE / folder / "variables.tf").read_text(encoding="utf-8")):
        assert re.search(r'^  description = ".+[.`)]"$', body, re.MULTILINE), f"{name}: expected a sentence"
        assert re.search(r"^  type +=", body, re.MULTILINE), f"{name}: expected a type"
        assert not re.search(r"^  type +=.*\bany\b", body, re.MULTILINE), f"{name}: any is no type"
        assert re.search(r"^  nullable +=", body, re.MULTILINE), f"{name}: expected a word on null"


@pytest.mark.parametrize("folder", [folder for folder in folders() if folder.startswith("modules/")])
def test_what_can_be_wrong_is_refused_by_a_module(folder: str) -> None:
    """A bool cannot be wrong; everything else says what it expects, and a test shows that it refuses the rest."""
    tests = "".join(file.read_text(encoding="utf-8") for file in (SOURCE / folder / "tests").glob("*.tftest.hcl"))
    for name, body in _VARIABLE.findall((SOURCE / folder / "variables.tf").read_text(encoding="utf-8")):
        kind = re.search(r"^  type += (.*)$", body, re.MULTILINE)
        if kind and (kind[1] == "bool" or (re.fullmatch(r"object\(\{", kind[1]) and _only_bools(body))):
            continue
        assert "validation {" in body, f"{name}: expected a validation"
        refused = re.findall(r"expect_failures = \[(.*)\]", tests)
        assert any(f"var.{name}" in each.replace(" ", "").split(",") for each in refused), f"{name}: never refused"


@pytest.mark.parametrize("folder", folders())
def test_what_comes_out_is_described(folder: str) -> None:
    for name, body in _OUTPUT.findall((SOURCE / folder / "outputs.tf").read_text(encoding="utf-8")):
        assert re.search(r'^  description = ".+\."$', body, re.MULTILINE), f"{name}: expected a sentence"


def test_the_stand_in_knows_what_is_used_and_nothing_else() -> None:
    used = {kind for file in SOURCE.rglob("*.tf") for kind in _TYPE.findall(file.read_text(encoding="utf-8"))}
    known = {kind for listed in stand_in.listing().values() for kind in (*listed["resources"], *listed["data_sources"])}
    assert used - {"terraform_data"} == known


@pytest.mark.parametrize("name", list(stand_in.listing()))
def test_schemas_are_those_of_the_wheels_that_are_listed(name: str) -> None:
    """`make terraform-schemas` writes them anew."""
    listed, schema = stand_in.listing()[name], stand_in.schema(name)
    assert schema["read from"] == listed["wheel"]
    assert list(schema["resource_schemas"]) == sorted(listed["resources"])
    assert list(schema["data_source_schemas"]) == sorted(listed["data_sources"])


def _only_bools(body: str) -> bool:
    return not re.search(r"optional\((?!bool)|= (?!optional)(string|number|list|map|set)", body)
