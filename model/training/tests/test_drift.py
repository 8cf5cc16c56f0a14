"""What the drift detector is given: counts of everything, rows only of what may be kept."""

import json

import numpy as np
import pandas as pd

from leeway_drift.profile import Profile
from leeway_drift.profile.reference import read_reference
from leeway_training.bundle import Bundle
from leeway_training.dataset import build_dataset

from .world import Configure, Run


def _profile(bundle: Bundle) -> Profile:
    return Profile.parse(json.loads(bundle.files["drift-profile.json"]))


def test_the_reference_holds_rows_of_the_training_period_in_order_of_time(
    configure: Configure, run: Run, frame: pd.DataFrame
):
    config = configure("profile.keep_rows=500")
    bundle = run(config, frame)
    reference = read_reference(bundle.files["drift-reference.npz"], _profile(bundle))
    load = build_dataset(frame, config).train.features["load"].to_numpy()
    kept = reference.numeric["load"]
    assert kept.size == 500
    assert np.isin(kept, load).all()
    assert set(reference.categorical) == {"side", "van"}


def test_no_rows_are_kept_where_none_may_be(configure: Configure, run: Run, frame: pd.DataFrame):
    bundle = run(configure("profile.keep_rows=0"), frame)
    assert "drift-reference.npz" not in bundle.files
    assert "holds no rows of the reference" in bundle.files["MODEL_CARD.md"].decode()


def test_a_private_feature_is_counted_but_in_no_file_row_by_row(configure: Configure, run: Run, frame: pd.DataFrame):
    features = "[{name: load, kind: numeric, privacy: drop}, {name: van, kind: categorical, privacy: hash}, "
    features += "{name: side, kind: categorical, categories: [north, south]}]"
    bundle = run(configure(f"features={features}"), frame)
    profile = _profile(bundle)
    assert set(profile.features) == {"load", "van", "side"}
    reference = read_reference(bundle.files["drift-reference.npz"], profile)
    assert not reference.numeric
    assert set(reference.categorical) == {"side"}
    cases = json.loads(bundle.files["golden.json"])["cases"]
    for private in ("load", "van"):
        shown = {
            value
            for case in cases
            for part in case["request"]["inputs"]
            if part["name"] == private
            for value in part["data"]
        }
        assert len(shown) == 1
    inputs = json.loads(bundle.files["manifest.json"])["inputs"]
    assert {one["name"]: one.get("privacy") for one in inputs} == {"load": "drop", "van": "hash", "side": None}


def test_calendar_features_are_watched_for_quality_alone(configure: Configure, run: Run, frame: pd.DataFrame):
    profile = _profile(run(configure("profile.context=[load]"), frame))
    assert not profile.features["load"].monitored
    assert profile.features["wind"].monitored


def test_what_is_not_tolerated_caps_what_training_had(configure: Configure, run: Run, frame: pd.DataFrame):
    learnt = _profile(run(configure(), frame)).features["wind"].limits["missing_ratio"]
    capped = _profile(run(configure("profile.limits={wind: {missing_ratio: 0.01}}"), frame))
    assert capped.features["wind"].limits["missing_ratio"] == 0.01 < learnt


def test_how_often_the_model_is_right_is_known_with_its_spread(configure: Configure, run: Run, frame: pd.DataFrame):
    performance = _profile(run(configure(), frame)).performance
    assert performance["log_loss"]["sd"] > 0
    assert performance["log_loss"]["windows"] > 10


def test_the_card_tells_what_alarms_are_worth(configure: Configure, run: Run, frame: pd.DataFrame):
    card = run(configure(), frame).files["MODEL_CARD.md"].decode()
    assert "## Drift\n\nNot calibrated" in card  # sixty days are too few
