# noqa: INP001 - a program, in no package
"""Writes what the detector would have of the flights example: the bundle's profile and reference, and what was asked.

The training environment has pandas and the data, the worker's has not, so that measuring takes two commands; see
``measure.py`` beside this file. Run in model/training:

    uv run --frozen python ../../drift-detector/alibi/measure/flights.py FOLDER
"""

import sys
import time
from pathlib import Path

import numpy as np

import leeway_training
from leeway_training.configfile import read_config
from leeway_training.dataset import build_dataset
from leeway_training.pipeline import fit
from leeway_training.progress import Progress
from leeway_training.source import read_source
from leeway_training.train import steps, train

CONFIG = Path(leeway_training.__file__).parent / "examples" / "flights.yaml"


def main(folder: Path) -> None:
    """Train on January to June, and write July to December as rows in order of time, with the model's answers."""
    config = read_config(CONFIG)
    source = read_source(config.data, base=CONFIG.parent)
    bundle = train(
        config,
        source.frame,
        data_sha256=source.sha256,
        progress=Progress(steps(config), stream=sys.stderr, clock=time.monotonic),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("drift-profile.json", "drift-reference.npz"):
        (folder / name).write_bytes(bundle.files[name])
    data = build_dataset(source.frame, config)
    pipeline = fit(config, config.model, data.train)
    parts = (data.validation, data.test)
    asked = {
        f"feature:{name}": np.concatenate([part.features[name].to_numpy() for part in parts])
        for name in data.train.features
    }
    columns = {name: values.astype(np.str_) if values.dtype == object else values for name, values in asked.items()}
    columns["time"] = np.concatenate([part.times for part in parts if part.times is not None])
    columns["answers"] = np.concatenate([pipeline.predict_proba(part.features) for part in parts]).astype(np.float32)
    np.savez(folder / "served.npz", **columns)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
