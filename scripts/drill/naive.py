"""What most people would have done: a Kolmogorov-Smirnov test of each window against the training data."""

from typing import Any

from scipy.stats import ks_2samp

from drill.flights import Columns

_ALPHA = 0.05


def alarms(window: Columns, training: Columns) -> list[str]:
    """Numeric columns with p < 0.05 / columns, as a Bonferroni correction has it; missing values are left out."""
    columns = [name for name, values in training.items() if not isinstance(values[0], str)]
    return [name for name in columns if _differ(window[name], training[name], _ALPHA / len(columns))]


def _differ(window: list[Any], training: list[Any], alpha: float) -> bool:
    some, others = ([value for value in values if value is not None] for values in (window, training))
    # The exact p-value of so many rows takes seconds, and no verdict hangs on the difference.
    return bool(some and others and ks_2samp(some, others, method="asymp").pvalue < alpha)
