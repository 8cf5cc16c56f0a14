"""The way from rows to the files of a bundle. No I/O: rows come in, bytes go out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from leeway_training.bundle import Bundle, build_manifest, inputs_of, seal
from leeway_training.card import Quality, model_card
from leeway_training.compare import Comparison, compare
from leeway_training.config import Candidate, Config
from leeway_training.dataset import Dataset, build_dataset
from leeway_training.drift import describe_reference, drift_section
from leeway_training.evaluate import Baseline, check_gate, evaluate, intervals, rule_of_thumb
from leeway_training.export import Graph, prove_parity, to_onnx
from leeway_training.folds import honest_answers
from leeway_training.golden import golden_cases
from leeway_training.pipeline import answers_of, categories, fit
from leeway_training.progress import Progress


def steps(config: Config) -> int:
    """Count the steps that `train` will report."""
    return 7 + (config.model.candidates is not None)


def train(config: Config, frame: pd.DataFrame, *, data_sha256: str, progress: Progress) -> Bundle:
    """Check, split, choose, fit, evaluate, export, prove and describe.

    Args:
        config: what to train.
        frame: the joined rows as read.
        data_sha256: the hash over the files they were read from.
        progress: told of every step.

    Raises:
        Refused: at any of these steps, with everything that is wrong there.
    """
    with progress.step(f"check the data and split it {'by time' if config.time else 'at random'}") as notes:
        data = build_dataset(frame, config)
        notes.append(f"train {len(data.train):,}, validate {len(data.validation):,}, test {len(data.test):,} rows")
    candidate, compared = _choose(config, data, progress)
    with progress.step(f"fit {candidate.estimator}"):
        pipeline = fit(config, candidate, data.train)
    with progress.step("export to ONNX and prove parity on the test period") as notes:
        model = to_onnx(pipeline, config)
        graph = Graph(model)
        answers = graph.answer(data.test.features)
        parity = prove_parity(
            answers,
            expected=answers_of(pipeline, data.test.features),
            labels=None if config.classes is None else pipeline.predict(data.test.features),
        )
        notes.append(f"largest difference {parity.largest_difference:.1e}")
    # Judged is what will be served: the graph's answers, not the pipeline's.
    output = "prediction" if config.classes is None else "probabilities"
    predicted = answers[output].astype(np.float64)
    with progress.step("evaluate against the gate") as notes:
        test, baseline = _judge(config, data, predicted, notes)
    with progress.step(f"estimate intervals over whole {'days' if config.time else 'rows'}"):
        validated = graph.answer(data.validation.features)[output].astype(np.float64)
        quality = Quality(
            validation=evaluate(config.target.task, data.validation.labels, validated),
            test=test,
            intervals=intervals(config.target.task, data.test, predicted),
            baseline=baseline,
            parity=parity,
        )
    with progress.step("profile the training period by models that have not seen it") as notes:
        outputs = _outputs(config, honest_answers(config, candidate, data.train))
        drift = describe_reference(
            data.train.features,
            outputs=outputs,
            times=data.train.times,
            labels=data.train.labels.astype(np.float64),
            task=config.target.task,
            keep_rows=config.profile.keep_rows,
            private=_private(config),
            context=config.profile.context,
            limits=_limits(config),
        )
        notes.append("calibrated" if drift.profile["calibration"]["method"] != "none" else "not calibrated")
    with progress.step("record golden requests and describe") as notes:
        card = model_card(
            config,
            candidate=candidate,
            compared=compared,
            dataset=data,
            rows=len(frame),
            quality=quality,
            drift=drift_section(drift),
        )
        files: dict[str, bytes] = {
            "model.onnx": model,
            "golden.json": golden_cases(graph, _without_private(config, data), predicted[:, -1]),
            "MODEL_CARD.md": card.encode(),
            **drift.files,
        }
        manifest = _manifest(config, data, files=files, metrics=test, data_sha256=data_sha256, rows=len(frame))
        notes.append(f"{sum(map(len, files.values())) / 1024:.0f} KiB")
    return seal(files, manifest)


def _choose(config: Config, data: Dataset, progress: Progress) -> tuple[Candidate, tuple[Comparison, ...]]:
    if config.model.candidates is None:
        return config.model.choices[0], ()
    metric, _ = config.ranking
    with progress.step(f"compare {len(config.model.candidates)} candidates by {metric}") as notes:
        compared = compare(config, data.train, data.validation)
        notes.append("".join(f"\n  {one.candidate}: {one.mean:.4f} ± {one.sd:.4f}" for one in compared))
    return compared[0].candidate, compared


def _judge(
    config: Config, data: Dataset, predicted: npt.NDArray[np.float64], notes: list[str]
) -> tuple[dict[str, float], Baseline | None]:
    test = evaluate(config.target.task, data.test.labels, predicted)
    notes.append(", ".join(f"{name} {test[name]:.4f}" for name in config.gate))
    baseline = rule_of_thumb(config.baseline, data.train, data.test) if config.baseline else None
    if baseline:
        shown = ", ".join(f"{name} {baseline.metrics[name]:.4f}" for name in config.gate)
        notes.append(f"rule {baseline.rule}: {shown}")
    check_gate(config.gate, test)
    return test, baseline


def _outputs(config: Config, answers: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.generic]]:
    """Name answers as the graph does, and give them its types."""
    if config.classes is None:
        return {"prediction": answers.astype(np.float32)}
    return {"label": answers.argmax(axis=1), "probabilities": answers.astype(np.float32)}


def _limits(config: Config) -> dict[str, dict[str, float]]:
    """Gather what is not tolerated: the declared range of each number, and the caps."""
    limits = {name: caps.model_dump(exclude_none=True) for name, caps in config.profile.limits.items()}
    for feature in config.numeric:
        bounds = {"minimum": feature.minimum, "maximum": feature.maximum}
        limits[feature.name] = limits.get(feature.name, {}) | {k: v for k, v in bounds.items() if v is not None}
    return limits


def _without_private(config: Config, data: Dataset) -> pd.DataFrame:
    """Put one value for all where a feature's values may not be kept: many people see golden requests."""
    common = {name: data.train.features[name].mode().iloc[0] for name in _private(config)}
    return data.test.features.assign(**common)


def _private(config: Config) -> list[str]:
    return [feature.name for feature in config.features if feature.privacy != "keep"]


def _manifest(
    config: Config,
    data: Dataset,
    *,
    files: Mapping[str, bytes],
    metrics: Mapping[str, float],
    data_sha256: str,
    rows: int,
) -> dict[str, Any]:
    described: dict[str, Any] = {"name": config.data.name, "sha256": data_sha256, "rows": rows}
    extra: dict[str, Any] = {}
    if config.time is not None:
        described["time_span"] = [data.first, data.last]
        extra["time_column"] = config.time.column
    if config.target.task == "binary_classification":
        # The graph's label is the likelier class.
        extra["decision_threshold"] = 0.5
    if config.entity_key is not None:
        extra["entity_key"] = config.entity_key
    return build_manifest(
        name=config.model.name,
        version=config.model.version,
        description=config.model.description,
        task=config.target.task,
        classes=config.classes,
        inputs=inputs_of(config, categories(config, data.train.features)),
        metrics=metrics,
        data=described,
        files=files,
        extra=extra,
    )
