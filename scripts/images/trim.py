"""Leaves out of a tree of Python packages what no server runs, and compiles the rest. Standard library, one file.

Containerfiles run it in their build stage, `images.base` on the base image. Modules are compiled once here since a
container's file system is read-only: each start would compile them again. The compiled files are not tied to the
sources' modification times, which an image does not keep.
"""

import compileall
import py_compile
import shutil
import sys
from pathlib import Path

# Folders of any package: its tests, and the headers and sources that its extensions were compiled from.
FOLDERS = frozenset({"__pycache__", "test", "tests", "include"})
SUFFIXES = frozenset({".a", ".c", ".cpp", ".h", ".hpp", ".pxd", ".pyi", ".pyx"})
# Whole parts of a package that need a compiler, a screen or other packages that are not there.
PARTS = (
    "ensurepip",
    "idlelib",
    "lib2to3",
    "numpy/f2py",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "tkinter",
    "turtledemo",
)
# What lies among tests but is imported by the package itself.
KEPT = ("numpy/_core/tests/_natype.py",)


def trim(folder: Path) -> None:
    """Remove from `folder` and everything below it what no server runs; `*.dist-info` with its licences stays."""
    for path in sorted(folder.rglob("*"), reverse=True):  # children before their parents
        if path.is_symlink() or ".dist-info" in str(path):
            continue
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
            elif path.as_posix().endswith(tuple(f"/{part}" for part in PARTS)):
                shutil.rmtree(path)
        elif _unused(path.relative_to(folder)):
            path.unlink()


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
    if path.as_posix().endswith(KEPT):
        return False
    return path.suffix in SUFFIXES or not FOLDERS.isdisjoint(path.parts[:-1])


if __name__ == "__main__":
    target = Path(sys.argv[1])
    trim(target)
    compile_modules(target, inside=str(target))
