"""What a schema refuses that an older one took, found by comparing the two."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_NESTED = ("properties", "additionalProperties", "items", "propertyNames", "required", "enum")
_SILENT = ("$defs", "$schema", "$ref", "title", "description", "default", "examples")
_ADDED_REFUSES = ("additionalProperties", "enum", "items", "propertyNames", *_LOWEST, *_HIGHEST)


def narrowed(old: Schema, new: Schema) -> list[str]:
    """Return where `new` refuses what `old` took, as `path: why`; empty where whatever was valid still is.

    Keywords whose sets cannot be compared (pattern, not, if, CEL rules …) are told of whenever they differ, so that
    nothing is called wider unseen.
    """
    return sorted(set(_narrowed(old, new, old, new, "")))


def _narrowed(old: Any, new: Any, whole_old: Schema, whole_new: Schema, path: str) -> Iterator[str]:
    old, new = _resolved(old, whole_old), _resolved(new, whole_new)
    if new is True or old is False or new == {}:
        return
    if new is False or old is True:
        yield f"{path}: {'is no longer taken' if new is False else 'took anything'}"
        return
    yield from _bounds(old, new, path)
    if "enum" in new and not {*map(repr, old.get("enum", ()))} <= {*map(repr, new["enum"])}:
        yield f"{path}: enum lost {sorted({*map(repr, old['enum'])} - {*map(repr, new['enum'])})}"
    if added := set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{path}: requires {sorted(added)}"
    for keyword in (*old, *new):
        known = keyword in (*_NESTED, *_SILENT, *_LOWEST, *_HIGHEST)
        if not known and keyword in new and old.get(keyword) != new[keyword]:
            yield f"{path}: {keyword} differs"
        elif keyword in _ADDED_REFUSES and keyword not in old:
            yield f"{path}: {keyword} is new"
    yield from _parts(old, new, whole_old, whole_new, path)


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for keyword in _LOWEST:
        if keyword in old and keyword in new and new[keyword] > old[keyword]:
            yield f"{path}: {keyword} {old[keyword]} became {new[keyword]}"
    for keyword in _HIGHEST:
        if keyword in old and keyword in new and new[keyword] < old[keyword]:
            yield f"{path}: {keyword} {old[keyword]} became {new[keyword]}"


def _parts(old: Schema, new: Schema, whole_old: Schema, whole_new: Schema, path: str) -> Iterator[str]:
    properties = new.get("properties", {})
    for name, part in old.get("properties", {}).items():
        # What is no longer named is refused by a closed schema and dropped by the API server: either way it is lost.
        other = properties.get(name, new.get("additionalProperties", False))
        yield from _narrowed(part, other, whole_old, whole_new, f"{path}.{name}")
    for keyword in ("additionalProperties", "items", "propertyNames"):
        if keyword in old and keyword in new:
            yield from _narrowed(old[keyword], new[keyword], whole_old, whole_new, f"{path}.{keyword}")


def _resolved(schema: Any, whole: Schema) -> Any:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema
