"""What Prometheus recorded, asked through the API server."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from cluster.addons.kube import Kube
from rollouts.flagger import Series

_PROXY = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query"
_REQUESTS = "leeway_inference_requests_total"


class QueryError(RuntimeError):
    """Prometheus did not answer as it should; the message has its words."""


def request_counters(kube: Kube, labels: Mapping[str, str], *, start: float, end: float) -> list[Series]:
    """Return every scrape of the request counters of a version.

    Args:
        kube: the cluster.
        labels: of its series, such as `namespace`, `leeway_dev_model` and `leeway_dev_revision`.
        start: of the record, seconds since 1970.
        end: of it.

    Raises:
        QueryError: Prometheus refused, or answered something else.
        CommandFailedError: it is not there.
    """
    chosen = ",".join(f'{name}="{value}"' for name, value in labels.items())
    query = {"query": f"{_REQUESTS}{{{chosen}}}[{max(1, round(end - start))}s]", "time": f"{end:.3f}"}
    return read(kube.kubectl("get", "--raw", f"{_PROXY}?{urlencode(query)}"))


def read(text: str) -> list[Series]:
    """Read Prometheus' answer to a query for a range of samples; values that are no numbers are left out.

    Raises:
        QueryError: it is none.
    """
    try:
        answer: dict[str, Any] = json.loads(text)
        if answer["status"] != "success" or answer["data"]["resultType"] != "matrix":
            raise QueryError(f"Prometheus answered {text[:300]}; samples were expected")
        return [
            Series(
                failed=series["metric"]["code"].startswith("5"),
                samples=[(float(time), float(value)) for time, value in series["values"] if value != "NaN"],
            )
            for series in answer["data"]["result"]
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise QueryError(f"Prometheus answered {text[:300]}; samples were expected") from error
