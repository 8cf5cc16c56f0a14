"""The model card of a model that somebody else trained: what is known of it, and what is not."""

from collections.abc import Mapping
from dataclasses import dataclass

from leeway_training.export import Parity


@dataclass(frozen=True)
class Known:
    """What the card tells.

    Attributes:
        name: of the model.
        version: of the model.
        description: one sentence.
        task: as in the manifest.
        classes: what label 0, 1 and on mean; None for regression.
        rows: of the sample.
        span: the first and the last time of the sample, if it has a time.
        renamed: what the inputs are called, by the column of the sample.
        metrics: on the labelled rows of the sample; empty without labels.
        parity: with the estimator; None for a model that came as ONNX.
        notes: what was odd when it was read.
    """

    name: str
    version: str
    description: str
    task: str
    classes: tuple[str, ...] | None
    rows: int
    span: list[str] | None
    renamed: Mapping[str, str]
    metrics: Mapping[str, float]
    parity: Parity | None
    notes: tuple[str, ...]


def brought_card(known: Known, *, drift: str) -> str:
    """Write the card as Markdown; it holds nothing that differs between two equal runs."""
    span = "" if known.span is None else f" from {known.span[0]} to {known.span[1]}"
    classes = "" if known.classes is None else f" Labels: {_labels(known.classes)}."
    limits = [
        "How it was trained, and on what, is not known here: who brings it answers for that.",
        "The reference of drift is the sample, as far as it looks like what the model will see.",
        *known.notes,
    ]
    sections = [
        f"# {known.name} {known.version}\n\n{known.description}",
        f"**Task.** {known.task.replace('_', ' ')}.{classes}",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits),
        f"## Data\n\nA sample of {known.rows:,} rows{span}.\n\n" + _inputs(known.renamed),
        "## Quality\n\n" + _quality(known.metrics),
        "## Parity\n\n" + _parity(known.parity),
        "## Drift\n\n" + drift,
    ]
    return "\n\n".join(sections) + "\n"


def _labels(classes: tuple[str, ...]) -> str:
    return ", ".join(f"{index} = {name}" for index, name in enumerate(classes))


def _inputs(renamed: Mapping[str, str]) -> str:
    lines = ["| input | column of the sample |", "|---|---|"]
    return "\n".join(lines + [f"| {new} | {old} |" for old, new in renamed.items()])


def _quality(metrics: Mapping[str, float]) -> str:
    if not metrics:
        return "Not measured: the sample carries no label."
    lines = ["| metric | sample |", "|---|---|", *(f"| {name} | {value:.4f} |" for name, value in metrics.items())]
    lines.append("\nWhether the model was fitted on these rows is not known here; if it was, they flatter it.")
    return "\n".join(lines)


def _parity(parity: Parity | None) -> str:
    if parity is None:
        return "The graph came as ONNX; its answers to the golden requests are its own."
    return (
        f"On {parity.rows:,} rows of the sample the ONNX graph and scikit-learn differ by at most "
        f"{parity.largest_difference:.1e}; no label differs."
    )
