"""A status document as ``GET /v1/status`` answers it, with everything that a page shows in it."""

from collections.abc import Mapping, Sequence
from typing import Any

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def status_document(name: str = "temp", category: str = "UA") -> dict[str, Any]:
    """One version with an alarm, an insufficient detector, history and distributions."""
    window = {"start": "2013-10-01T00:00:00Z", "end": "2013-10-02T00:00:00Z", "rows": 1000}
    return {
        "namespace": "leeway",
        "model": "flights",
        "versions": [
            {
                "namespace": "leeway",
                "model": "flights",
                "version": "1.0.0",
                "drill": None,
                "profile": {
                    "state": "loaded",
                    "reason": None,
                    "digest": "sha256:00",
                    "calibrated": True,
                    "method": "time-blocks",
                    "window": {"rows": 1000, "seconds": 86400.0},
                    "target_false_alarms_per_30_days": 1.0,
                },
                "events": {"request": {"accepted": 10}, "response": {"accepted": 10}},
                "coverage": 0.987,
                "open_window": {"rows": 300, "start": None, "needed_rows": 1000, "needed_seconds": 86400.0},
                "detectors": [
                    {
                        "detector": "slow",
                        "reference": "training",
                        "verdict": "over",
                        "score_ratio": 2.345,
                        "calibrated": True,
                        "detected": True,
                        "reason": f"{name} has a PSI of 0.9, its threshold is 0.4",
                        "window": window,
                        "recent": ["within", "over", "over"],
                        "columns": [{"name": name, "statistics": {"psi": 0.9}, "score_ratio": 2.345}],
                    },
                    {
                        "detector": "concept",
                        "reference": "training",
                        "verdict": "insufficient",
                        "score_ratio": None,
                        "calibrated": False,
                        "detected": False,
                        "reason": "12 labels, 500 are needed",
                        "window": None,
                        "recent": [],
                        "columns": [],
                    },
                ],
                "history": [
                    {**window, "detected": [], "ratios": {"slow/training": 0.4}},
                    {**window, "detected": ["slow/training"], "ratios": {"slow/training": 2.345}},
                ],
                "performance": None,
                "distributions": {
                    "features": {
                        name: {
                            "kind": "numeric",
                            "edges": [10.0, 50.0, 100.0],
                            "categories": None,
                            "reference": [0, 50, 50, 0],
                            "now": [90, 10, 0, 0],
                            "reference_nulls": 0,
                            "now_nulls": 100,
                        },
                        "carrier": {
                            "kind": "categorical",
                            "edges": None,
                            "categories": [category, "DL"],
                            "reference": [50, 50, 0],
                            "now": [0, 50, 50],
                            "reference_nulls": 0,
                            "now_nulls": 0,
                        },
                    },
                    "outputs": {},
                },
            }
        ],
    }


class Documents:
    """The source of pages, with documents as given."""

    def __init__(self, *documents: Mapping[str, Any]) -> None:
        self._documents = {(document["namespace"], document["model"]): document for document in documents}

    def models(self) -> Sequence[tuple[str, str]]:
        return list(self._documents)

    def status(self, namespace: str, model: str) -> Mapping[str, Any] | None:
        return self._documents.get((namespace, model))
