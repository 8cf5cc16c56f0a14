"""The schemas of Terraform providers, read out of the bindings that HashiCorp generated from them (CDK for Terraform).

Where a registry of providers cannot be reached, these Python wheels still can: each carries the generated TypeScript of
every resource, with the name, type and nature of every argument. What is read here is written in the form of
`terraform providers schema -json`, for the types of `stand-in.toml` only.

What the bindings do not carry: the limits of a block (but for "at most one"), conflicts between arguments, and which
values are valid. A single nested attribute and a single block look alike in them; `timeouts` is the one such block.
"""

import base64
import io
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
_SOURCE_MAP = re.compile(r"sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)")
_CLASS = re.compile(r"^export class (\w+) extends [\w.]+ \{$(.*?)^\}$", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(
    r"^ +// (?P<name>\w+) - computed: (?P<computed>\w+), optional: (?P<optional>\w+), required: (?P<required>\w+)\n"
    r"(?P<code>.*?)(?=^ +// \w+ - computed|^ +// =====|\Z)",
    re.MULTILINE | re.DOTALL,
)
_FUNCTION = re.compile(r"^export function (\w+)ToHclTerraform\(.*?^\}$", re.MULTILINE | re.DOTALL)
_HCL = re.compile(
    r"^ +(?P<name>\w+): \{\n +value: (?P<value>.*),\n +isBlock: (?P<block>\w+),\n +type: \"(?P<type>\w+)\",\n"
    r" +storageClassType: \"(?P<storage>\w+)\",$",
    re.MULTILINE,
)
_SIMPLE = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
_GETTER = re.compile(r"this\.(?:interpolationForAttribute|get(\w+?)Attribute)\('")
_COMPUTED = {
    "String": "string", "Number": "number", "Boolean": "bool",
    "List": ["list", "string"], "NumberList": ["list", "number"],
    "StringMap": ["map", "string"], "BooleanMap": ["map", "bool"], "AnyMap": ["map", "string"],
}  # fmt: skip
_MAPS = {"StringMap": "string", "BooleanMap": "bool", "NumberMap": "number", "AnyMap": "string"}


class BindingsError(ValueError):
    """The bindings do not look as they did when this was written."""


@dataclass(frozen=True)
class Bindings:
    """The generated code of one provider, from its unpacked wheel."""

    archive: Path

    @classmethod
    def of(cls, wheel: Path) -> "Bindings":
        """Find the archive in the unpacked wheel.

        Raises:
            BindingsError: the wheel does not hold exactly one.
        """
        found = sorted(wheel.rglob("*.jsii.tgz"))
        if len(found) != 1:
            raise BindingsError(f"{wheel}: expected one *.jsii.tgz, found {len(found)}")
        return cls(found[0])

    def schema(self, source: str, resources: list[str], data_sources: list[str]) -> Json:
        """Return the schema of the provider `source` ("hashicorp/helm"), of these types only, and its version.

        Raises:
            BindingsError: a type is not in the bindings, or in a form that is not known here.
        """
        prefix = source.rpartition("/")[2]
        folders = {"provider": "provider"}
        folders |= {name: _folder(name, prefix) for name in resources}
        folders |= {f"data {name}": f"data-{_folder(name, prefix, keep=True)}" for name in data_sources}
        texts = self._texts(folders)
        version = re.search(r"providerVersion: '([\d.]+)'", texts["provider"])
        if version is None:
            raise BindingsError(f"{self.archive.name}: the provider's version was not found")
        return {
            "source": source,
            "version": version[1],
            "provider": {"block": block(texts["provider"])},
            "resource_schemas": {name: {"block": block(texts[name])} for name in resources},
            "data_source_schemas": {name: {"block": block(texts[f"data {name}"])} for name in data_sources},
        }

    def _texts(self, folders: Mapping[str, str]) -> dict[str, str]:
        wanted = {f"package/lib/{folder}/index.js": name for name, folder in folders.items()}
        found: dict[str, str] = {}
        with tarfile.open(fileobj=io.BytesIO(self.archive.read_bytes())) as tar:
            for member in tar:
                if member.name in wanted and (file := tar.extractfile(member)):
                    found[wanted[member.name]] = typescript(file.read().decode())
        if missing := sorted(set(folders) - set(found)):
            raise BindingsError(f"{self.archive.name}: no bindings of {', '.join(missing)}")
        return found


def typescript(javascript: str) -> str:
    """Return the source that generated JavaScript carries in its source map; only that tells what is computed.

    Raises:
        BindingsError: there is none.
    """
    found = _SOURCE_MAP.search(javascript)
    if found is None:
        raise BindingsError("expected a source map with the TypeScript in it")
    return str(json.loads(base64.b64decode(found[1]))["sourcesContent"][0])


def block(text: str) -> Json:
    """Return the schema of the one resource, data source or provider that `text` (TypeScript) defines.

    Raises:
        BindingsError: it holds something that is not known here.
    """
    classes = {found[1]: found[2] for found in _CLASS.finditer(text)}
    functions = {found[1]: found[0] for found in _FUNCTION.finditer(text)}
    mains = [name for name, body in classes.items() if "static readonly tfResourceType" in body]
    if len(mains) != 1:
        raise BindingsError(f"expected one class with a tfResourceType, found {mains}")
    return _Reader(classes, functions).block(classes[mains[0]], classes[mains[0]])


@dataclass(frozen=True)
class _Reader:
    classes: Mapping[str, str]
    functions: Mapping[str, str]

    def block(self, body: str, arguments: str) -> Json:
        """Return a schema from a class (what there is) and the code that writes its arguments (of what type)."""
        written = {found["name"]: found for found in _HCL.finditer(arguments)}
        attributes: Json = {}
        blocks: Json = {}
        for member in _MEMBER.finditer(body):
            name = member["name"]
            nature = {key: True for key in ("computed", "optional", "required") if member[key] == "true"}
            if name not in written:
                attributes[name] = {"type": self._computed(name, member["code"]), **nature}
            elif written[name]["block"] == "false":
                attributes[name] = {"type": _type(written[name]), **nature}
            elif nested := self._block(written[name], member["code"], nature):
                blocks[name] = nested
            else:
                attributes[name] = {"nested_type": self._nested(written[name]), **nature}
        return {key: value for key, value in (("attributes", attributes), ("block_types", blocks)) if value}

    def _block(self, written: re.Match[str], code: str, nature: Json) -> Json | None:
        """Return a nested block, or None if it is a nested attribute: only blocks are mapped with `true`."""
        kind, name = written["type"], written["name"]
        single = "OutputReference(" in code.partition(";")[0]
        if kind == "struct" and name != "timeouts":
            return None
        if kind in {"list", "set"} and not single and ", true)" not in written["value"]:
            return None
        limits: Json = {"min_items": 1} if nature.get("required") else {}
        if single and kind != "struct":
            limits["max_items"] = 1
        mode = "single" if kind == "struct" else kind
        return {"nesting_mode": mode, "block": self._struct(_element(written["storage"])), **limits}

    def _nested(self, written: re.Match[str]) -> Json:
        mode = {"struct": "single"}.get(written["type"], written["type"])
        return {"nesting_mode": mode, "attributes": self._struct(_element(written["storage"])).get("attributes", {})}

    def _struct(self, name: str) -> Json:
        """Return the schema of a nested structure; structures of a provider have no class of their own."""
        function = self.functions.get(name[0].lower() + name[1:])
        if function is None:
            raise BindingsError(f"no code writes the arguments of {name}")
        if body := self.classes.get(f"{name}OutputReference"):
            return self.block(body, function)
        attributes: Json = {}
        for found in _HCL.finditer(function):
            shape = {"type": _type(found)} if found["block"] == "false" else {"nested_type": self._nested(found)}
            attributes[found["name"]] = {**shape, "optional": True}
        return {"attributes": attributes}

    def _computed(self, name: str, code: str) -> Any:
        """Return the type of what is only ever computed, by the method that reads it."""
        if made := re.search(r"new (?:cdktf\.)?(\w+)\(this, \"", code):
            if simple := _MAPS.get(made[1]):
                return ["map", simple]
            if made[1].endswith("List"):
                return ["list", self._object(made[1].removesuffix("List"))]
            if made[1].endswith("OutputReference"):
                return self._object(made[1].removesuffix("OutputReference"))
        getter = _GETTER.search(code)
        if getter is None or (getter[1] or "String") not in _COMPUTED:
            raise BindingsError(f"{name}: expected a known getter, found {code.strip()[:120]!r}")
        return _COMPUTED[getter[1] or "String"]

    def _object(self, name: str) -> Any:
        body = self.classes.get(f"{name}OutputReference", "")
        members = {found["name"]: self._computed(found["name"], found["code"]) for found in _MEMBER.finditer(body)}
        return ["object", members]


def _type(written: re.Match[str]) -> Any:
    kind, storage = written["type"], written["storage"]
    if kind == "simple":
        return _SIMPLE[storage]
    element = storage.removesuffix("List").removesuffix("Map")
    if kind in {"list", "set", "map"} and element in _SIMPLE:
        return [kind, _SIMPLE[element]]
    raise BindingsError(f"{written['name']}: expected a known type, found {kind} of {storage}")


def _element(storage: str) -> str:
    return storage.removesuffix("List")


def _folder(name: str, prefix: str, *, keep: bool = False) -> str:
    plain = name if keep else name.removeprefix(f"{prefix}_")
    return plain.replace("_", "-")
