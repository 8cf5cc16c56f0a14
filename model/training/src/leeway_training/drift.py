"""What a bundle gives the drift detector: the profile of the reference, and a sample of its rows if it may."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from leeway_drift.profile import ProfileError, build_profile
from leeway_training.bundle import readable
from leeway_training.errors import Problem, Refused

STEP = "profile the reference"
PROFILE = "drift-profile.json"


@dataclass(frozen=True)
class Drift:
    """The files, and what they hold for the model card.

    Attributes:
        files: by name.
        profile: content of ``drift-profile.json``.
        reference_rows: rows in ``drift-reference.npz``; 0 if there is none.
    """

    files: Mapping[str, bytes]
    profile: Mapping[str, Any]
    reference_rows: int


def describe_reference(
    features: pd.DataFrame,
    *,
    outputs: Mapping[str, npt.NDArray[np.generic]],
) -> Drift:
    """Profile the reference.

    Args:
        features: the reference rows, in order of time if they have one: float32 or objects holding str.
        outputs: the model's answers to them.

    Raises:
        Refused: what cannot be profiled.
    """
    columns = {str(name): features[name].to_numpy() for name in features}
    categorical = [name for name, values in columns.items() if values.dtype == object]
    try:
        profile = build_profile(columns, categorical=categorical, outputs=outputs)
    except ProfileError as error:
        raise Refused(STEP, [Problem("the reference", str(error), "rows that can be profiled")]) from error
    return Drift({PROFILE: readable(profile)}, profile, 0)
