"""Flights of the test period and a sample of those of training, as columns; run in training's environment."""

import argparse
import json
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pandas as pd

from leeway_training.configfile import read_config
from leeway_training.dataset import Rows, build_dataset
from leeway_training.source import read_source
from leeway_training.v2 import json_values

_SAMPLE = 10_000


def main() -> None:
    """Write the columns of both as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    with as_file(files("leeway_training") / "examples" / "flights.yaml") as path:
        config, base = read_config(path, overrides=()), path.parent
        dataset = build_dataset(read_source(config.data, base=base).frame, config)
    sample = dataset.train.take(np.linspace(0, len(dataset.train) - 1, _SAMPLE).round().astype(np.int64))
    text = json.dumps({"test": _columns(dataset.test), "train": _columns(sample)}, allow_nan=False)
    options.output.write_text(text, encoding="utf-8")


def _columns(rows: Rows) -> dict[str, object]:
    if rows.times is None:
        raise SystemExit("flights.yaml: no time column")
    features: pd.DataFrame = rows.features
    return {
        "times": rows.times.tolist(),
        "labels": rows.labels.tolist(),
        "columns": {str(name): json_values(features[name].to_numpy()) for name in features},
    }


if __name__ == "__main__":
    main()
