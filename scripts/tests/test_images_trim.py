"""What is left out of an image, and above all what is not."""

import _json
import subprocess
import sys
from pathlib import Path

import pytest

from images import trim


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("X = 1\n")


def left(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def test_tests_headers_and_stale_bytecode_go_while_modules_and_data_stay(tmp_path: Path) -> None:
    write(
        tmp_path,
        "package/__init__.py",
        "package/table.json",
        "package/core.cpython-311-x86_64-linux-gnu.so",
        "package/testing.py",
        "package/tests/test_core.py",
        "package/tests/data/big.csv",
        "package/include/core.h",
        "package/core.pyx",
        "package/__pycache__/core.cpython-311.pyc",
    )

    trim.trim(tmp_path)

    assert left(tmp_path) == {
        "package/__init__.py",
        "package/table.json",
        "package/core.cpython-311-x86_64-linux-gnu.so",
        "package/testing.py",
    }
    assert not (tmp_path / "package/tests").exists()


def test_licences_and_records_of_distributions_stay(tmp_path: Path) -> None:
    names = {"p-1.0.dist-info/RECORD", "p-1.0.dist-info/licenses/tests/LICENSE", "p-1.0.dist-info/include/LICENSE.c"}
    write(tmp_path, *names)

    trim.trim(tmp_path)

    assert left(tmp_path) == names


def test_what_a_package_imports_from_its_tests_stays(tmp_path: Path) -> None:
    write(tmp_path, "numpy/_core/tests/_natype.py", "numpy/_core/tests/test_multiarray.py")

    trim.trim(tmp_path)

    assert left(tmp_path) == {"numpy/_core/tests/_natype.py"}


def test_parts_of_one_package_do_not_take_their_namesakes_along(tmp_path: Path) -> None:
    write(tmp_path, "kubernetes/aio/client.py", "kubernetes/client/api.py", "grpc/aio/server.py", "mylib/tools/cut.py")

    trim.trim(tmp_path)

    assert left(tmp_path) == {"kubernetes/client/api.py", "grpc/aio/server.py", "mylib/tools/cut.py"}


def test_the_second_copy_of_onnxruntime_goes_and_the_extension_stays(tmp_path: Path) -> None:
    extension = "onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so"
    write(tmp_path, extension, "onnxruntime/capi/libonnxruntime.so.1.31.1")

    trim.trim(tmp_path)

    assert left(tmp_path) == {extension}


def test_a_library_without_its_symbols_is_smaller_and_still_loads(tmp_path: Path) -> None:
    source = Path(_json.__file__)
    library = tmp_path / source.name
    library.write_bytes(source.read_bytes())
    library.chmod(0o755)

    trim.trim(tmp_path)

    assert library.stat().st_size < source.stat().st_size
    assert library.stat().st_mode & 0o777 == 0o755
    command = f"import _json; assert _json.__file__ == {str(library)!r}; print(_json.encode_basestring('é'))"
    environment = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == '"é"\n'


def test_a_library_that_others_link_to_is_trimmed_for_the_tree_alone(tmp_path: Path) -> None:
    cached, library = tmp_path / "cache.so", tmp_path / "tree/module.so"
    cached.write_bytes(Path(_json.__file__).read_bytes())
    library.parent.mkdir()
    library.hardlink_to(cached)

    trim.trim(library.parent)

    assert library.stat().st_size < cached.stat().st_size
    assert cached.read_bytes() == Path(_json.__file__).read_bytes()
    assert [path.name for path in library.parent.iterdir()] == ["module.so"]


def test_what_is_called_a_library_and_is_none_stays_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, "package/linker.so")

    trim.trim(tmp_path)

    assert (tmp_path / "package/linker.so").read_text() == "X = 1\n"


def test_compiled_modules_are_used_whatever_the_modification_time_of_their_source(tmp_path: Path) -> None:
    write(tmp_path, "module.py")
    trim.compile_modules(tmp_path, inside="/opt/leeway")
    source, compiled = tmp_path / "module.py", next(tmp_path.glob("__pycache__/*.pyc"))
    source.write_text("X = 2\n")  # an image resets times; were they compared, this new source would be compiled

    command = "import module; print(module.X)"
    environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "1\n"
    assert b"/opt/leeway/module.py" in compiled.read_bytes()


def test_a_module_that_this_python_cannot_compile_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text("class Queue[Item]: ...\n")

    with pytest.raises(ValueError, match="not every module compiles"):
        trim.compile_modules(tmp_path, inside="/opt/leeway")
