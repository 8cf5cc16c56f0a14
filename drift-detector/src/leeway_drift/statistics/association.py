"""How two columns hang together, apart from how each is distributed."""

import numpy as np
import numpy.typing as npt

from leeway_drift.counting.counts import Integers

Floats = npt.NDArray[np.float64]

_PSEUDOCOUNT = 0.5
_ITERATIONS = 20  # raking gains a digit every one or two; the tables are small and positive


def chance_information(shape: tuple[int, ...], rows: int) -> float:
    """Nats that n independent rows show by chance in a table ``[a, b]``: ``(a - 1)(b - 1) / 2n`` (Miller 1955)."""
    return (shape[0] - 1) * (shape[1] - 1) / (2 * max(rows, 1))


def mutual_information(table: Integers) -> float:
    """Mutual information of a table ``[a, b]`` in nats, less what independent columns would show by chance."""
    total = int(table.sum())
    if total == 0:
        return 0.0
    joint = table / total
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    ratio = np.divide(joint, independent, out=np.ones_like(joint), where=joint > 0)
    chance = chance_information(table.shape, total)
    information = float((joint * np.log(ratio)).sum())
    return information - chance if information > chance else 0.0


def surprise(window: Integers, reference: Integers) -> Floats:
    """How much the association of two columns differs from the reference's, in nats per row.

    The reference table is raked (iterative proportional fitting: Deming and Stephan 1940) to the margins of the
    window, which keeps its odds ratios; returned is the Kullback-Leibler divergence of the window's table from that.
    A change of either column alone, such as a warmer month, is therefore no surprise.

    Args:
        window: ``[..., a, b]``, with at least one row counted.
        reference: ``[..., a, b]``.
    """
    observed = window / np.maximum(window.sum(axis=(-2, -1), keepdims=True), 1)
    left = observed.sum(axis=-1, keepdims=True)
    right = observed.sum(axis=-2, keepdims=True)
    expected = (reference + _PSEUDOCOUNT) * np.ones_like(observed)
    for _ in range(_ITERATIONS):
        expected *= _ratio(left, expected.sum(axis=-1, keepdims=True))
        expected *= _ratio(right, expected.sum(axis=-2, keepdims=True))
    logarithms = np.log(
        np.divide(observed, expected, out=np.ones_like(observed), where=(observed > 0) & (expected > 0))
    )
    divergence: Floats = (observed * logarithms).sum(axis=(-2, -1))
    return np.maximum(divergence, 0.0)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
