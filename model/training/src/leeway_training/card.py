"""The model card: what people should know before they rely on the model."""

from collections.abc import Mapping

import numpy as np

from leeway_training.config import Config, Period
from leeway_training.dataset import Dataset, Rows
from leeway_training.evaluate import Baseline
from leeway_training.export import Parity


def model_card(
    config: Config,
    *,
    dataset: Dataset,
    rows: int,
    validation: Mapping[str, float],
    test: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
    baseline: Baseline | None,
    parity: Parity,
) -> str:
    """Write the card as Markdown; it holds nothing that differs between two equal runs."""
    model = config.model
    parameters = ", ".join(f"{key}={value}" for key, value in sorted(model.params.items())) or "defaults"
    sections = [
        f"# {model.name} {model.version}\n\n{model.description}",
        f"**Intended use.** {model.intended_use}",
        *(["## Limits\n\n" + "\n".join(f"- {limit}" for limit in model.limits)] if model.limits else []),
        "## Data\n\n" + _data(config, dataset, rows),
        f"## Model\n\n{model.estimator} ({parameters}) behind median imputation, scaling and one-hot encoding, "
        "exported as one ONNX graph that takes raw features.\n\n" + _features(config),
        "## Quality\n\n" + _quality(config, validation, test, intervals, baseline),
        "## Parity\n\n" + _parity(parity),
    ]
    return "\n\n".join(sections) + "\n"


def _data(config: Config, dataset: Dataset, rows: int) -> str:
    lines = [
        f"{config.data.name}: {rows:,} rows from {dataset.first} to {dataset.last}. {dataset.unlabelled:,} of them",
        f"carry no `{config.target.column}` and are left out. Split by time ({config.time.zone}), never at random:",
        "",
        "| period | from | until | rows | label |",
        "|---|---|---|---|---|",
    ]
    for name, period, part in (
        ("train", config.split.train, dataset.train),
        ("validate", config.split.validation, dataset.validation),
        ("test", config.split.test, dataset.test),
    ):
        lines.append(_period(name, period, part, config.target.task))
    lines += [
        f"\n{count:,} values of `{name}` outside its declared range count as missing."
        for name, count in dataset.taken_as_missing.items()
        if count
    ]
    return "\n".join(lines)


def _parity(parity: Parity) -> str:
    return (
        f"On {parity.rows:,} rows of the test period the ONNX graph and scikit-learn differ by at most "
        f"{parity.largest_difference:.1e}; no label differs."
    )


def _period(name: str, period: Period, rows: Rows, task: str) -> str:
    if task == "regression":
        label = f"mean {rows.labels.astype(np.float64).mean():.4g}"
    else:
        shares = np.bincount(rows.labels.astype(np.int64)) / len(rows)
        label = ", ".join(f"class {index}: {share:.1%}" for index, share in enumerate(shares))
    return f"| {name} | {period.start} | {period.until} | {len(rows):,} | {label} |"


def _features(config: Config) -> str:
    lines = ["| feature | kind | may be missing | range | unit |", "|---|---|---|---|---|"]
    for feature in config.features:
        bounds = ""
        if feature.kind == "numeric":
            low, high = feature.minimum, feature.maximum
            bounds = f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}"
        nullable = "yes" if feature.nullable else "no"
        lines.append(f"| {feature.name} | {feature.kind} | {nullable} | {bounds} | {feature.unit or ''} |")
    return "\n".join(lines)


def _quality(
    config: Config,
    validation: Mapping[str, float],
    test: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
    baseline: Baseline | None,
) -> str:
    rule = f" rule `{baseline.rule}` |" if baseline else ""
    lines = [
        f"| metric | validate | test | 95 % interval | gate |{rule}",
        f"|---|---|---|---|---|{'---|' if baseline else ''}",
    ]
    for name, value in test.items():
        low, high = intervals[name]
        bound = config.gate.get(name)  # type: ignore[call-overload]  # any metric may be asked for, few are gated
        gate = (
            "" if bound is None else f"≥ {bound.at_least:g}" if bound.at_least is not None else f"≤ {bound.at_most:g}"
        )
        line = f"| {name} | {validation[name]:.4f} | {value:.4f} | {low:.4f} … {high:.4f} | {gate} |"
        lines.append(line + (f" {baseline.metrics[name]:.4f} |" if baseline else ""))
    lines += [
        "",
        "Intervals: whole days of the test period drawn again 200 times (rows of one day are not independent).",
    ]
    if baseline:
        lines.append("The rule answers with the rates of the training period; its column as a plain score has")
        lines.append(f"AUC {baseline.score_auc:.4f}.")
    return "\n".join(lines)
