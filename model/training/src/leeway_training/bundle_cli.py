"""The command ``leeway-bundle``: a bundle of a model that is there already."""

import argparse
import hashlib
import re
import resource
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
from pydantic import TypeAdapter, ValidationError
from sklearn.exceptions import InconsistentVersionWarning

from leeway_training.bring.make import STEPS, Identity, bundle_estimator, bundle_onnx
from leeway_training.bring.sample import take_sample
from leeway_training.bundle import Bundle, check_output, readable, write_bundle
from leeway_training.config import TASKS, Name, Version
from leeway_training.errors import Problem, Refused
from leeway_training.progress import Progress
from leeway_training.provenance import provenance
from leeway_training.source import read_file

_PROGRAM = "leeway-bundle"


def bundle(arguments: Sequence[str] | None = None) -> int:
    """Make a bundle of an ONNX file or a scikit-learn estimator; the last line on stdout is the bundle's digest.

    Returns:
        0, or 1 after a refusal: what is wrong is on stderr and nothing is written.
    """
    options = _parser().parse_args(arguments)
    progress = Progress(STEPS + 2, stream=sys.stderr, clock=time.monotonic)
    try:
        output = options.output or Path(_name(options))
        check_output(output)
        made = _make(options, progress)
        with progress.step(f"write {output}") as notes:
            origin = readable(provenance(_PROGRAM, arguments))
            write_bundle(output, {**made.files, "provenance.json": origin})
            notes.append(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    except Refused as refusal:
        sys.stderr.write(f"{_PROGRAM}: {refusal}\n")
        return 1
    sys.stdout.write(f"{made.digest}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="Make a bundle of a model that is there already, with rows that it is asked.",
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--onnx", type=Path, metavar="FILE", help="one input per feature, or one of all features")
    model.add_argument(
        "--sklearn",
        type=Path,
        metavar="FILE",
        help="a fitted estimator as joblib writes it. READING IT RUNS CODE IN IT: give only a file that you made",
    )
    parser.add_argument("--sample", type=Path, required=True, metavar="FILE", help="rows as CSV or Parquet, 16 or more")
    parser.add_argument("--time", metavar="COLUMN", help="when a row happened; alarms are calibrated only with it")
    parser.add_argument("--label", metavar="COLUMN", help="what was true; gaps are rows that nobody knows")
    parser.add_argument(
        "--context",
        type=_columns,
        default=(),
        metavar="A,B",
        help="features that are calendar fields or ids: their drift raises no alarm",
    )
    parser.add_argument(
        "--task",
        choices=TASKS,
        help="of an ONNX file whose one number a row is the probability of class 1: binary_classification",
    )
    parser.add_argument("--name", metavar="NAME", help="of the model; the file's by default")
    parser.add_argument("--version", metavar="VERSION", help="the start of the file's SHA-256 by default")
    parser.add_argument(
        "--keep-rows", type=_rows, default=10_000, metavar="N", help="raw rows kept as reference; 0: none"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="must not exist yet; ./NAME by default")
    return parser


def _make(options: argparse.Namespace, progress: Progress) -> Bundle:
    path: Path = options.onnx or options.sklearn
    content = _read(path)
    with progress.step(f"read {options.sample}") as notes:
        source = read_file(options.sample, where="--sample")
        sample = take_sample(source.frame, time=options.time, label=options.label, context=options.context)
        notes.append(f"{len(sample.features):,} rows, {len(sample.features.columns)} features")
    name = _name(options)
    version = options.version or hashlib.sha256(content).hexdigest()[:12]
    _check(Version, "--version", version)
    description = f"{name}, brought as {path.name}."
    identity = Identity(name, version, description, options.sample.name, source.sha256)
    if options.onnx:
        return bundle_onnx(content, sample, identity, keep_rows=options.keep_rows, progress=progress, task=options.task)
    if options.task:
        raise Refused("read the arguments", [Problem("--task", f"is {options.task}", "no task: the estimator says it")])
    estimator, odd = _load(path)
    for note in odd:
        sys.stderr.write(f"{_PROGRAM}: {note}\n")
    return bundle_estimator(estimator, sample, identity, keep_rows=options.keep_rows, notes=odd, progress=progress)


def _name(options: argparse.Namespace) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", (options.onnx or options.sklearn).stem.lower()).strip("-")
    name: str = options.name or stem
    _check(Name, "--name", name)
    return name


def _check(kind: Any, option: str, value: str) -> None:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise Refused(
            "read the arguments", [Problem(option, f"{value!r}: {reason}", "such a name; give one")]
        ) from error


def _rows(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows")
    return int(text)


def _columns(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        # An address is no file either: what is fetched and run at once is nobody's own.
        raise Refused("read the model", [Problem(str(path), str(error), "a file on this machine")]) from error


def _load(path: Path) -> tuple[Any, tuple[str, ...]]:
    """Read an estimator; with what versions it was made, if they are not these."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator = joblib.load(path)
    except Exception as error:  # a pickle runs code of any package, which may fail in any way
        what = f"cannot be read: {type(error).__name__}: {error}"
        raise Refused("read the model", [Problem(str(path), what, "what joblib.dump wrote of an estimator")]) from error
    versions = sorted(
        {
            f"{one.message.original_sklearn_version}, read with {one.message.current_sklearn_version}"
            for one in caught
            if isinstance(one.message, InconsistentVersionWarning)
        }
    )
    return estimator, tuple(
        f"Written with scikit-learn {pair}: its answers may not be those of then." for pair in versions
    )
