"""Leaves out of a tree of Python packages what no server runs, and compiles the rest. Standard library, one file.

Containerfiles run it in their build stage, `images.base` on the base image. Modules are compiled once here since a
container's file system is read-only: each start would compile them again. The compiled files are not tied to the
sources' modification times, which an image does not keep.
"""

import compileall
import py_compile
import shutil
import struct
import sys
from collections.abc import Collection
from pathlib import Path

# Folders of any package: its tests, and the headers and sources that its extensions were compiled from.
FOLDERS = frozenset({"__pycache__", "include", "test", "tests"})
SUFFIXES = frozenset({".a", ".c", ".cc", ".cpp", ".h", ".hpp", ".pxd", ".pxi", ".pyi", ".pyx"})
# Parts of single packages that need a compiler, a screen or other packages that are not there, or that nobody calls.
PARTS = (
    "ensurepip",
    "idlelib",
    "kubernetes/aio",  # the asynchronous client: half of the package, imported by nothing else
    "lib2to3",
    "numpy/distutils",
    "onnxruntime/capi/libonnxruntime.so.*",  # for programs in C; the Python extension holds all of it once more
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "pyarrow/*_flight*",
    "pyarrow/*_s3*",  # data sources are files
    "pyarrow/_pyarrow_cpp_tests*",
    "pyarrow/flight.py",
    "pyarrow/libarrow_python*.so",  # for linkers; a running program asks for the name with one number
    "pyarrow/libarrow_python*.so.*.*.*",
    "pyarrow/src",
    "pydoc_data",
    "scipy/misc/*.bz2",
    "scipy/misc/*.dat",
    "sklearn/datasets/data",
    "sklearn/datasets/images",
    "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/oracle",
    "sqlalchemy/testing",
    "tkinter",
    "turtledemo",
)
_ELF64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
# What lies among tests but is imported by the package itself.
KEPT = ("numpy/_core/tests/_natype.py",)


def trim(folder: Path) -> None:
    """Remove from `folder` and everything below it what no server runs; `*.dist-info` with its licences stays."""
    for path in sorted(folder.rglob("*"), reverse=True):  # children before their parents
        if path.is_symlink() or ".dist-info" in path.as_posix():
            continue
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
            elif _matches(path, PARTS):
                shutil.rmtree(path)
        elif _unused(path.relative_to(folder)):
            path.unlink()
        elif ".so" in path.suffixes:
            _drop_symbols(path)


def compile_modules(folder: Path, *, inside: str) -> None:
    """Compile every module below `folder`; tracebacks will show `inside` in its place.

    Raises:
        ValueError: a module that this Python cannot compile; it is named on standard output.
    """
    done = compileall.compile_dir(
        folder,
        quiet=1,
        stripdir=str(folder),
        prependdir=inside,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        raise ValueError(f"{folder}: not every module compiles with Python {sys.version.split()[0]}")


def _unused(path: Path) -> bool:
    if _matches(path, KEPT):
        return False
    return path.suffix in SUFFIXES or not FOLDERS.isdisjoint(path.parts[:-1]) or _matches(path, PARTS)


def _drop_symbols(library: Path) -> None:
    """Cut off what a debugger and a linker read of a shared library: all behind its last segment, as sstrip does.

    A program that is started reads segments only, so that the table of sections goes as well. The layout of the
    64-bit ELF header is that of elf(5).
    """
    content = bytearray(library.read_bytes())
    if content[: len(_ELF64_LITTLE_ENDIAN)] != _ELF64_LITTLE_ENDIAN:
        return
    (programs,) = struct.unpack_from("<Q", content, 32)
    entry, count = struct.unpack_from("<HH", content, 54)
    headers = [struct.unpack_from("<IIQQQQ", content, programs + index * entry) for index in range(count)]
    end = max([programs + entry * count, *(offset + in_file for _, _, offset, _, _, in_file in headers)])
    struct.pack_into("<Q", content, 40, 0)  # where the sections' headers are
    struct.pack_into("<HH", content, 60, 0, 0)  # how many, and which of them holds the names
    # In its place and not into it: it may be a link to the package manager's cache, and in use through another one.
    trimmed = library.with_name(f"{library.name}.trimmed")
    trimmed.write_bytes(content[:end])
    shutil.copymode(library, trimmed)
    trimmed.replace(library)


def _matches(path: Path, patterns: Collection[str]) -> bool:
    """Tell whether the end of `path` matches one of the patterns."""
    return any(path.match(pattern) for pattern in patterns)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    trim(target)
    compile_modules(target, inside=str(target))
