"""The way from rows to the files of a bundle. No I/O: rows come in, bytes go out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leeway_drift.profile import build_profile
from leeway_training.bundle import build_manifest, digest, readable
from leeway_training.card import model_card
from leeway_training.config import Config
from leeway_training.dataset import build_dataset
from leeway_training.evaluate import check_gate, evaluate, intervals, rule_of_thumb
from leeway_training.export import Graph, prove_parity, to_onnx
from leeway_training.golden import golden_cases
from leeway_training.pipeline import categories, fit
from leeway_training.progress import Progress

STEPS = 6


@dataclass(frozen=True)
class Trained:
    """A bundle in memory.

    Attributes:
        files: every file but ``provenance.json``, by relative path.
        digest: the name of the bundle.
        metrics: on the test period.
    """

    files: Mapping[str, bytes]
    digest: str
    metrics: Mapping[str, float]


def train(config: Config, frame: pd.DataFrame, *, data_sha256: str, progress: Progress) -> Trained:
    """Check, split, fit, evaluate, export, prove and describe.

    Args:
        config: what to train.
        frame: the joined rows as read.
        data_sha256: the hash over the files they were read from.
        progress: told of every step.

    Raises:
        Refused: at any of these steps, with everything that is wrong there.
    """
    task = config.target.task
    with progress.step("check the data and split it by time") as notes:
        data = build_dataset(frame, config)
        notes.append(f"train {len(data.train):,}, validate {len(data.validation):,}, test {len(data.test):,} rows")
    with progress.step(f"fit {config.model.estimator}"):
        pipeline = fit(config, data.train)
    with progress.step("export to ONNX and prove parity on the test period") as notes:
        model = to_onnx(pipeline, config)
        graph = Graph(model)
        answers = graph.answer(data.test.features)
        parity = prove_parity(pipeline, data.test.features, answers)
        notes.append(f"largest difference {parity.largest_difference:.1e}")
    with progress.step("evaluate against the gate") as notes:
        # Judged is what will be served: the graph's answers, not the pipeline's.
        output = "prediction" if task == "regression" else "probabilities"
        predicted = answers[output].astype(np.float64)
        test = evaluate(task, data.test.labels, predicted)
        notes.append(", ".join(f"{name} {test[name]:.4f}" for name in config.gate))
        baseline = rule_of_thumb(config.baseline, data.train, data.test) if config.baseline else None
        if baseline:
            shown = ", ".join(f"{name} {baseline.metrics[name]:.4f}" for name in config.gate)
            notes.append(f"rule {baseline.rule}: {shown}")
        check_gate(config.gate, test)
    with progress.step("estimate intervals over whole days"):
        spread = intervals(task, data.test, predicted)
        validation_answers = graph.answer(data.validation.features)[output].astype(np.float64)
        validation = evaluate(task, data.validation.labels, validation_answers)
    with progress.step("profile the training period, record golden requests, describe") as notes:
        card = model_card(
            config,
            dataset=data,
            rows=len(frame),
            validation=validation,
            test=test,
            intervals=spread,
            baseline=baseline,
            parity=parity,
        )
        known = categories(config, data.train.features)
        profile = build_profile(
            {str(name): data.train.features[name].to_numpy() for name in data.train.features},
            categorical=list(known),
            outputs=graph.answer(data.train.features),
        )
        files: dict[str, bytes] = {
            "model.onnx": model,
            "golden.json": golden_cases(graph, data.test.features, predicted[:, -1]),
            "drift-profile.json": readable(profile),
            "MODEL_CARD.md": card.encode(),
        }
        manifest: dict[str, Any] = build_manifest(
            config,
            dataset=data,
            data_sha256=data_sha256,
            rows=len(frame),
            categories=known,
            metrics=test,
            files=files,
        )
        notes.append(f"{sum(map(len, files.values())) / 1024:.0f} KiB")
    return Trained(files | {"manifest.json": readable(manifest)}, digest(manifest), test)
