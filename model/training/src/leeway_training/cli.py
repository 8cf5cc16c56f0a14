"""The commands ``leeway-train`` and ``leeway-samples``."""

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from leeway_training.bundle import check_output, readable, write_bundle
from leeway_training.config import Config
from leeway_training.configfile import read_config
from leeway_training.errors import Problem, Refused
from leeway_training.progress import Progress
from leeway_training.provenance import provenance
from leeway_training.samples import samples as choose_samples
from leeway_training.source import read_source
from leeway_training.train import steps
from leeway_training.train import train as build

_EXAMPLE = "flights.yaml"


def train(arguments: Sequence[str] | None = None) -> int:
    """Train a model and write its bundle; the last line on stdout is the bundle's digest.

    Returns:
        0, or 1 after a refusal: what is wrong is on stderr and nothing is written.
    """
    parser = _parser("leeway-train", "Train a model and write its bundle.")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the bundle; must not exist yet")
    options = parser.parse_args(arguments)
    try:
        config, base = _config(options)
        progress = Progress(steps(config) + 2, stream=sys.stderr, clock=time.monotonic)
        check_output(options.output)
        with progress.step(f"read {config.data.name}") as notes:
            source = read_source(config.data, base=base)
            notes.append(f"{len(source.frame):,} rows")
        trained = build(config, source.frame, data_sha256=source.sha256, progress=progress)
        with progress.step(f"write {options.output}") as notes:
            origin = readable(
                provenance("leeway-train", arguments, config=config.model_dump(mode="json", by_alias=True))
            )
            write_bundle(options.output, {**trained.files, "provenance.json": origin})
            notes.append(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    except Refused as refusal:
        sys.stderr.write(f"leeway-train: {refusal}\n")
        return 1
    sys.stdout.write(f"{trained.digest}\n")
    return 0


def samples(arguments: Sequence[str] | None = None) -> int:
    """Write rows of the test period as requests, one JSON object a line.

    Returns:
        0, or 1 after a refusal.
    """
    parser = _parser("leeway-samples", "Write real rows of the test period as requests, one JSON object a line.")
    parser.add_argument("--rows", type=int, required=True, metavar="N", help="how many, evenly over the period")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="NDJSON; replaced if it exists")
    options = parser.parse_args(arguments)
    try:
        config, base = _config(options)
        chosen = choose_samples(read_source(config.data, base=base).frame, config, rows=options.rows)
        text = "".join(json.dumps(sample, ensure_ascii=False, allow_nan=False) + "\n" for sample in chosen)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(text, encoding="utf-8")
    except Refused as refusal:
        sys.stderr.write(f"leeway-samples: {refusal}\n")
        return 1
    except OSError as error:
        problem = Problem(str(options.output), str(error), "a path that can be written to")
        sys.stderr.write(f"leeway-samples: {Refused('write the samples', [problem])}\n")
        return 1
    return 0


def _parser(program: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--config", type=Path, metavar="FILE", help="the model's YAML; the shipped example by default")
    parser.add_argument("--data", type=Path, metavar="FILE", help="CSV or Parquet, in place of data.table")
    parser.add_argument("--version", metavar="VERSION", help="overrides model.version")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="overrides one key, for example model.params.C=0.1",
    )
    return parser


def _config(options: argparse.Namespace) -> tuple[Config, Path]:
    overrides = list(options.set)
    if options.data is not None:
        overrides.append(f"data.table={json.dumps({'path': str(options.data.absolute())})}")
    if options.version is not None:
        overrides.append(f"model.version={json.dumps(options.version)}")
    if options.config is not None:
        return read_config(options.config, overrides=tuple(overrides)), options.config.parent
    with as_file(files("leeway_training") / "examples" / _EXAMPLE) as path:
        return read_config(path, overrides=tuple(overrides)), path.parent
