"""Schemas read out of bindings: what is checked elsewhere depends on their being read right."""

import base64
import io
import json
import tarfile
from pathlib import Path

import pytest

from infrastructure import program, stand_in
from infrastructure.schemas import Bindings, BindingsError, block, typescript

# In the form of the generated code, as short as it can be.
STRUCT = """
export function thingDiskToHclTerraform(struct?: ThingDisk): any {
  const attrs = {
    size: {
      value: cdktf.numberToHclTerraform(struct!.size),
      isBlock: false,
      type: "simple",
      storageClassType: "number",
    },
  };
}
export class ThingDiskOutputReference extends cdktf.ComplexObject {
  // id - computed: true, optional: false, required: false
  public get id() {
    return this.getStringAttribute('id');
  }

  // size - computed: false, optional: false, required: true
  private _size?: number;
}
"""
MAIN = """
export class Thing extends cdktf.TerraformResource {
  public static readonly tfResourceType = "x_thing";
  // arn - computed: true, optional: false, required: false
  public get arn() {
    return this.getStringAttribute('arn');
  }

  // disk - computed: false, optional: false, required: true
  private _disk = new %(made)s(this, "disk");
  // =========
  // SYNTHESIS
  // =========
  protected synthesizeHclAttributes(): { [name: string]: any } {
    const attrs = {
      disk: {
        value: %(value)s,
        isBlock: true,
        type: "%(type)s",
        storageClassType: "%(storage)s",
      },
    };
  }
}
"""
DISK = {"attributes": {"id": {"type": "string", "computed": True}, "size": {"type": "number", "required": True}}}
ONE = {
    "made": "ThingDiskOutputReference",
    "value": "thingDiskToHclTerraform(this._disk.internalValue)",
    "type": "list",
    "storage": "ThingDiskList",
}
MANY = {
    "made": "ThingDiskList",
    "value": "cdktf.listMapperHcl(thingDiskToHclTerraform, true)(this._disk.internalValue)",
    "type": "list",
    "storage": "ThingDiskList",
}
LISTED = {**MANY, "value": "cdktf.listMapperHcl(thingDiskToHclTerraform, false)(this._disk.internalValue)"}
SINGLE = {**ONE, "type": "struct", "storage": "ThingDisk"}


def test_what_is_only_computed_can_not_be_given() -> None:
    assert block(STRUCT + MAIN % ONE)["attributes"]["arn"] == {"type": "string", "computed": True}


@pytest.mark.parametrize(("shape", "limits"), [(ONE, {"min_items": 1, "max_items": 1}), (MANY, {"min_items": 1})])
def test_a_block_is_one_or_many(shape: dict[str, str], limits: dict[str, int]) -> None:
    assert block(STRUCT + MAIN % shape)["block_types"] == {"disk": {"nesting_mode": "list", "block": DISK, **limits}}


@pytest.mark.parametrize(("shape", "mode"), [(LISTED, "list"), (SINGLE, "single")])
def test_a_nested_attribute_is_no_block(shape: dict[str, str], mode: str) -> None:
    """Version 3 of the helm provider takes `kubernetes = {…}` and refuses `kubernetes {…}`."""
    read = block(STRUCT + MAIN % shape)
    assert "block_types" not in read
    assert read["attributes"]["disk"] == {
        "nested_type": {"nesting_mode": mode, "attributes": DISK["attributes"]},
        "required": True,
    }


def test_a_form_that_is_not_known_is_refused() -> None:
    with pytest.raises(BindingsError, match="arn: expected a known getter"):
        block(STRUCT + MAIN.replace("getStringAttribute", "getSomethingElse") % ONE)
    with pytest.raises(BindingsError, match="no code writes the arguments of ThingDisk"):
        block(MAIN % ONE)
    with pytest.raises(BindingsError, match="expected one class"):
        block(STRUCT)


def test_only_the_source_map_has_it_all() -> None:
    encoded = base64.b64encode(json.dumps({"sourcesContent": ["const x = 1"]}).encode()).decode()
    assert typescript(f"x\n//# sourceMappingURL=data:application/json;base64,{encoded}") == "const x = 1"
    with pytest.raises(BindingsError, match="expected a source map"):
        typescript("var x = 1;")


def test_a_type_that_the_provider_does_not_have_is_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "provider.jsii.tgz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("package/package.json"), io.BytesIO())
    bindings = Bindings.of(tmp_path)
    with pytest.raises(BindingsError, match="no bindings of provider, x_thing"):
        bindings.schema("example/x", ["x_thing"], [])


def test_a_wheel_without_bindings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BindingsError, match=r"expected one \*\.jsii\.tgz, found 0"):
        Bindings.of(tmp_path)


def test_what_was_read_of_the_real_ones() -> None:
    """Three facts from the providers' documentation, one of each kind."""
    helm = stand_in.schema("helm")
    assert helm["provider"]["block"]["attributes"]["kubernetes"]["nested_type"]["nesting_mode"] == "single"
    assert helm["resource_schemas"]["helm_release"]["block"]["attributes"]["chart"] == {
        "type": "string",
        "required": True,
    }
    cluster = stand_in.schema("aws")["resource_schemas"]["aws_eks_cluster"]["block"]
    assert cluster["block_types"]["vpc_config"]["max_items"] == 1


@pytest.mark.parametrize(("text", "version"), [("1.11.4", (1, 11)), ("1.12.0-beta1", (1, 12))])
def test_a_version_is_read(text: str, version: tuple[int, int]) -> None:
    assert program.parse(text) == version


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'None': expected one such as 1\.11\.4"):
        program.parse("None")
