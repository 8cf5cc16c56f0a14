"""The model card: what people should know before they rely on the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leeway_training.compare import Comparison
from leeway_training.config import Candidate, Config
from leeway_training.dataset import Dataset, Rows
from leeway_training.evaluate import Baseline
from leeway_training.export import Parity
from leeway_training.tables import Periods, RandomSplit


@dataclass(frozen=True)
class Quality:
    """What was measured of the graph that will be served.

    Attributes:
        validation: metrics on the validation rows.
        test: metrics on the test rows.
        intervals: 95 % intervals of the latter.
        baseline: the rule of thumb on the test rows, if there is one.
        parity: with scikit-learn, on the test rows.
    """

    validation: Mapping[str, float]
    test: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    baseline: Baseline | None
    parity: Parity


def model_card(
    config: Config,
    *,
    candidate: Candidate,
    compared: Sequence[Comparison],
    dataset: Dataset,
    rows: int,
    quality: Quality,
    drift: str,
) -> str:
    """Write the card as Markdown; it holds nothing that differs between two equal runs."""
    model = config.model
    sections = [
        f"# {model.name} {model.version}\n\n{model.description}",
        f"**Intended use.** {model.intended_use}",
        *(["## Limits\n\n" + "\n".join(f"- {limit}" for limit in model.limits)] if model.limits else []),
        "## Data\n\n" + _data(config, dataset, rows),
        f"## Model\n\n{candidate} behind median imputation, scaling (not for trees) and one-hot encoding, "
        "exported as one ONNX graph that takes raw features.\n\n" + _features(config),
        *(["## Candidates\n\n" + _candidates(config, compared)] if compared else []),
        "## Quality\n\n" + _quality(config, quality),
        "## Parity\n\n" + _parity(quality.parity),
        "## Drift\n\n" + drift,
    ]
    return "\n\n".join(sections) + "\n"


def _data(config: Config, dataset: Dataset, rows: int) -> str:
    span = "" if dataset.first is None else f" from {dataset.first} to {dataset.last}"
    left_out = f"{dataset.unlabelled:,} of them carry no `{config.target.column}` and are left out."
    lines = [f"{config.data.name}: {rows:,} rows{span}. {left_out}"]
    parts = {"train": dataset.train, "validate": dataset.validation, "test": dataset.test}
    if isinstance(config.split, RandomSplit):
        lines += [
            f"Split at random (seed {config.split.random.seed}): the rows carry no time, so nothing here shows how the",
            "model ages.",
            "",
            "| part | rows | label |",
            "|---|---|---|",
        ]
        lines += [f"| {name} | {len(part):,} | {_label(part, config.target.task)} |" for name, part in parts.items()]
    else:
        zone = "" if config.time is None else f" ({config.time.zone})"
        lines += [
            f"Split by time{zone}, never at random:",
            "",
            "| period | from | until | rows | label |",
            "|---|---|---|---|---|",
        ]
        lines += _periods(config.split, parts, config.target.task)
    lines += [
        f"\n{count:,} values of `{name}` outside its declared range count as missing."
        for name, count in dataset.taken_as_missing.items()
        if count
    ]
    return "\n".join(lines)


def _periods(split: Periods, parts: Mapping[str, Rows], task: str) -> list[str]:
    periods = {"train": split.train, "validate": split.validation, "test": split.test}
    return [
        f"| {name} | {period.start} | {period.until} | {len(parts[name]):,} | {_label(parts[name], task)} |"
        for name, period in periods.items()
    ]


def _label(rows: Rows, task: str) -> str:
    if task == "regression":
        return f"mean {rows.labels.astype(np.float64).mean():.4g}"
    shares = np.bincount(rows.labels.astype(np.int64)) / len(rows)
    return ", ".join(f"class {index}: {share:.1%}" for index, share in enumerate(shares))


def _candidates(config: Config, compared: Sequence[Comparison]) -> str:
    metric, more_is_better = config.ranking
    order = "more" if more_is_better else "less"
    how = (
        "five shuffled folds"
        if config.time is None
        else "four folds, each judged on the days after what it learnt from"
    )
    lines = [
        f"Compared by {metric} ({order} is better) on training and validation rows: {how}.",
        "The first was fitted again on the training rows; none of them has seen a test row.",
        "",
        "| candidate | mean | sd | folds |",
        "|---|---|---|---|",
    ]
    for one in compared:
        scores = ", ".join(f"{score:.4f}" for score in one.scores)
        lines.append(f"| {one.candidate} | {one.mean:.4f} | {one.sd:.4f} | {scores} |")
    return "\n".join(lines)


def _parity(parity: Parity) -> str:
    return (
        f"On {parity.rows:,} rows of the test period the ONNX graph and scikit-learn differ by at most "
        f"{parity.largest_difference:.1e}; no label differs."
    )


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


def _quality(config: Config, quality: Quality) -> str:
    baseline = quality.baseline
    rule = f" rule `{baseline.rule}` |" if baseline else ""
    lines = [
        f"| metric | validate | test | 95 % interval | gate |{rule}",
        f"|---|---|---|---|---|{'---|' if baseline else ''}",
    ]
    for name, value in quality.test.items():
        low, high = quality.intervals[name]
        bound = config.gate.get(name)  # type: ignore[call-overload]  # any metric may be asked for, few are gated
        gate = (
            "" if bound is None else f"≥ {bound.at_least:g}" if bound.at_least is not None else f"≤ {bound.at_most:g}"
        )
        line = f"| {name} | {quality.validation[name]:.4f} | {value:.4f} | {low:.4f} … {high:.4f} | {gate} |"
        lines.append(line + (f" {baseline.metrics[name]:.4f} |" if baseline else ""))
    lines += [
        "",
        "Intervals: whole days of the test period drawn again 200 times (rows of one day are not independent)."
        if config.time
        else "Intervals: test rows drawn again 200 times.",
    ]
    if baseline:
        lines.append("The rule answers with the rates of the training period; its column as a plain score has")
        lines.append(f"AUC {baseline.score_auc:.4f}.")
    return "\n".join(lines)
