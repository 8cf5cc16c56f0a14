# ruff: noqa: INP001 - a script
"""Two models as people have them, made into bundles: a scikit-learn pipeline (wine) and an ONNX file (diabetes).

    python examples/own_models.py DIR

writes DIR/wine.joblib, DIR/wine.parquet, DIR/diabetes.onnx, DIR/diabetes.parquet and the bundles DIR/wine and
DIR/diabetes. The data sets are scikit-learn's own; nothing is downloaded. The models are fitted as in any notebook,
without a thought of Leeway.
"""

import sys
from pathlib import Path

import joblib
import pandas as pd
from skl2onnx import to_onnx
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leeway_training.bundle_cli import bundle


def wine(folder: Path) -> None:
    """Three cultivars told apart by chemistry: a pipeline over a DataFrame, its classes words."""
    data = load_wine(as_frame=True)
    cultivars = data.target.map(dict(enumerate(data.target_names)))
    known, held, truth, held_truth = train_test_split(data.data, cultivars, test_size=0.4, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(known, truth)
    joblib.dump(model, folder / "wine.joblib")
    held.assign(cultivar=held_truth).to_parquet(folder / "wine.parquet")


def diabetes(folder: Path) -> None:
    """Disease progression after a year: a matrix in, a number out, converted as skl2onnx does by itself."""
    table: pd.DataFrame = load_diabetes(as_frame=True, scaled=False).frame
    known, held = train_test_split(table, test_size=0.4, random_state=0)
    features = known.drop(columns="target").to_numpy("float32")
    model = GradientBoostingRegressor(random_state=0).fit(features, known["target"])
    (folder / "diabetes.onnx").write_bytes(to_onnx(model, features[:1]).SerializeToString())
    held.to_parquet(folder / "diabetes.parquet")


def main(folder: Path) -> int:
    """Fit both and bundle both; 0 if both bundles were written."""
    folder.mkdir(parents=True, exist_ok=True)
    wine(folder)
    diabetes(folder)
    commands = (
        ["--sklearn", f"{folder}/wine.joblib", "--sample", f"{folder}/wine.parquet", "--label", "cultivar"],
        ["--onnx", f"{folder}/diabetes.onnx", "--sample", f"{folder}/diabetes.parquet", "--label", "target"],
    )
    return max(
        bundle([*command, "--version", "1.0.0", "--output", f"{folder}/{Path(command[1]).stem}"])
        for command in commands
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
