"""Two models as a data scientist has them: scikit-learn estimators in files, and the rows they were tried on.

Run in the training package's environment, which has scikit-learn: python brought_models.py FOLDER
"""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MODELS = {
    "diabetes": (load_diabetes, RandomForestRegressor(n_estimators=20, max_depth=6, random_state=0)),
    "iris": (load_iris, make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))),
}


def main(folder: Path) -> None:
    """Write <model>.joblib and <model>.csv of each."""
    for name, (load, estimator) in MODELS.items():
        data = load(as_frame=True)
        rows = data.frame.rename(columns=lambda column: column.replace(" (cm)", "").replace(" ", "_"))
        estimator.fit(rows.drop(columns="target"), rows["target"])
        joblib.dump(estimator, folder / f"{name}.joblib")
        rows.to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
