"""A bundle on disk: what the manifest says, and the proof that the files are what it says."""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from leeway_serving.errors import ModelError
from leeway_serving.signature import Input, Output

MANIFEST = "manifest.json"
MODEL = "model.onnx"
GOLDEN = "golden.json"
UNLISTED = frozenset({MANIFEST, "provenance.json"})
"""Files that are not in `manifest.files`: the list itself, and what may differ between two equal runs."""

KEPT = frozenset({GOLDEN, "drift-profile.json", "drift-reference.npz"})
"""Files whose content is needed after the model is loaded."""

VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
TASKS = ("binary_classification", "multiclass_classification", "regression")
_DTYPES = {"numeric": "FP32", "categorical": "BYTES"}


@dataclass(frozen=True)
class Manifest:
    """The parts of `manifest.json` that serving needs.

    Attributes:
        version: of the model; safe to put into a header or a path.
        task: one of `TASKS`.
        inputs: features in the order of rows that are sent as lists.
        outputs: in the order of answers.
        files: (SHA-256 in hex, length in bytes) by path.
        digest: `sha256:<hex>` of the manifest's canonical JSON; it names the bundle.
    """

    version: str
    task: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    files: Mapping[str, tuple[str, int]]
    digest: str


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: the bytes that were hashed are the bytes that are used."""

    manifest: Manifest
    model: bytes
    kept: Mapping[str, bytes]


def parse_manifest(content: bytes) -> Manifest:
    """Reads `manifest.json` (schema: `schemas/manifest.schema.json`).

    Raises:
        ModelError: naming the first entry that is missing or not as expected.
    """
    try:
        parsed = json.loads(content)
        canonical = json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        digest = f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
    except ValueError as error:
        raise ModelError(f"{MANIFEST} is not JSON: {error}") from None
    if not isinstance(parsed, dict) or parsed.get("schema_version") != 1:
        raise ModelError(f"{MANIFEST}: schema_version 1 was expected")
    version, task = parsed.get("version"), parsed.get("task")
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise ModelError(f"{MANIFEST}: version {version!r} does not match {VERSION.pattern}")
    if task not in TASKS:
        raise ModelError(f"{MANIFEST}: task {task!r} is none of {', '.join(TASKS)}")
    try:
        manifest = Manifest(
            version=version,
            task=task,
            inputs=tuple(_input(entry) for entry in parsed["inputs"]),
            outputs=tuple(Output(o["name"], o["dtype"], tuple(o["shape"])) for o in parsed["outputs"]),
            files=MappingProxyType({path: (f["sha256"], f["bytes"]) for path, f in parsed["files"].items()}),
            digest=digest,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{MANIFEST}: inputs, outputs or files are not as the schema says: {error!r}") from None
    for required in (MODEL, GOLDEN):
        if required not in manifest.files:
            raise ModelError(f"{MANIFEST}: files has no {required}")
    return manifest


def read_bundle(directory: Path, *, expected_digest: str | None) -> Bundle:
    """Reads and verifies the bundle in `directory`.

    The directory itself may be a link (a modelcar's is one, into another container's root). Inside it only plain files
    are taken, each opened below the directory that was opened first, so that no link can lead out of the bundle.

    Args:
        directory: holds `manifest.json`.
        expected_digest: what the bundle's digest has to be, or None if nobody said.

    Raises:
        ModelError: when the digest differs, a file is missing, added or changed, or an entry is a link or no file.
    """
    try:
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return _read(root, expected_digest)
        finally:
            os.close(root)
    except OSError as error:
        raise ModelError(f"cannot read the bundle: {error}") from error


def _read(root: int, expected_digest: str | None) -> Bundle:
    entries = dict(_walk(root, ""))
    if MANIFEST not in entries:
        raise ModelError(f"the directory has no {MANIFEST}")
    listing = _content(root, MANIFEST)
    manifest = parse_manifest(listing)
    if expected_digest not in (None, manifest.digest):
        raise ModelError(f"the bundle's digest is {manifest.digest}; {expected_digest} was to be served")
    found, listed = entries.keys() - UNLISTED, manifest.files.keys()
    if found != listed:
        problems = [f"{name} is missing" for name in sorted(listed - found)]
        problems += [f"{name} is not in the manifest" for name in sorted(found - listed)]
        raise ModelError(f"the bundle is not what its manifest lists: {'; '.join(problems)}")
    kept: dict[str, bytes] = {}
    for name, (sha256, length) in manifest.files.items():
        if entries[name] != length:
            raise ModelError(f"{name} has {entries[name]} bytes; the manifest says {length}")
        content = _content(root, name)
        actual = hashlib.sha256(content).hexdigest()
        if actual != sha256:
            raise ModelError(f"{name} has SHA-256 {actual}; the manifest says {sha256}")
        if name in KEPT or name == MODEL:
            kept[name] = content
    model = kept.pop(MODEL)
    return Bundle(manifest, model, MappingProxyType({**kept, MANIFEST: listing}))


def _walk(folder: int, prefix: str) -> Iterator[tuple[str, int]]:
    """Path and length of every file below the open directory `folder`."""
    for name in os.listdir(folder):
        path = f"{prefix}{name}"
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            try:
                yield from _walk(inner, f"{path}/")
            finally:
                os.close(inner)
        elif stat.S_ISREG(status.st_mode):
            yield path, status.st_size
        else:
            kind = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
            raise ModelError(f"{path} is {kind}; a bundle holds plain files only")


def _content(root: int, path: str) -> bytes:
    """The file's bytes; no component of `path` may be a link."""
    *folders, name = path.split("/")
    folder = os.dup(root)
    try:
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as file:  # noqa: PTH123 - Path opens no fd
            return file.read()
    finally:
        os.close(folder)


def _input(entry: Mapping[str, Any]) -> Input:
    name, kind, dtype = entry["name"], entry["kind"], entry["dtype"]
    if _DTYPES.get(kind) != dtype:
        raise ModelError(
            f"{MANIFEST}: input {name!r} is {kind!r} with {dtype!r}; expected: numeric FP32 or categorical BYTES"
        )
    if entry["nullable"] and dtype != "FP32":
        raise ModelError(f"{MANIFEST}: input {name!r} is nullable; only a number can be missing")
    return Input(
        name,
        dtype,
        (1,),
        nullable=bool(entry["nullable"]),
        categories=tuple(entry.get("categories", ())),
        minimum=entry.get("minimum"),
        maximum=entry.get("maximum"),
    )
