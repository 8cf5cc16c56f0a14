"""What the gates ask Prometheus: one place for the operator, which asks, and for `leeway-verify`, which proves it."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

REQUESTS = "leeway_inference_requests_total"
BUCKETS = "leeway_inference_request_duration_seconds_bucket"
# Envoy's counts for one endpoint. Its errors are answers of 5xx and those that Envoy had to make up itself, timeouts
# among them; all others are successes. A request whose client left before the answer is neither.
SENT_FINE, SENT_FAILED = "envoy_cluster_endpoint_rq_success", "envoy_cluster_endpoint_rq_error"
# What tells the series of an answer apart, besides `code` and `le`.
LABELS_OF_SERVERS = frozenset({"pod", "leeway_dev_slot", "leeway_dev_revision"})
LABELS_OF_GATEWAYS = frozenset({"pod", "envoy_cluster_name", "envoy_endpoint_address"})
# Longer than three scrapes of a minute each, after which a sample is stale.
RANGE = "4m"
HISTORY = "1h"


@dataclass(frozen=True)
class Queries:
    """The questions about one model.

    Attributes:
        namespace: of the model.
        model: its name.
    """

    namespace: str
    model: str

    def counters(self, revisions: Iterable[str]) -> str:
        """Every sample of the servers' counters of some revisions, with its time."""
        wanted = self._selector(__name__=(REQUESTS, BUCKETS), leeway_dev_revision=sorted(set(revisions)))
        return f"{wanted}[{RANGE}]"

    def codes(self, slot: str, revision: str) -> str:
        """About how many requests a slot answered in the last hour, by code."""
        return f"sum by (code) (increase({REQUESTS}{self._slot(slot, revision)}[{HISTORY}]))"

    def durations(self, slot: str, revision: str) -> str:
        """About how many of them took at most how long, by bucket."""
        return f"sum by (le) (increase({BUCKETS}{self._slot(slot, revision)}[{HISTORY}]))"

    def _slot(self, slot: str, revision: str) -> str:
        return self._selector(leeway_dev_slot=(slot,), leeway_dev_revision=(revision,))

    def _selector(self, **labels: Sequence[str]) -> str:
        """`{namespace="…",leeway_dev_model="…",label=~"value|value"}`."""
        terms = [f"namespace={json.dumps(self.namespace)}", f"leeway_dev_model={json.dumps(self.model)}"]
        terms += [f"{name}=~{json.dumps('|'.join(map(re.escape, values)))}" for name, values in labels.items()]
        return "{" + ",".join(terms) + "}"


def endpoints(addresses: Iterable[str]) -> str:
    """Every sample of what the gateway counted for the pods at some addresses."""
    # By address and any port: with KServe's agent the pods listen on another one.
    hosts = "|".join(re.escape(f"[{ip}]" if ":" in ip else ip) for ip in sorted(addresses))
    names, where = json.dumps(f"{SENT_FINE}|{SENT_FAILED}"), json.dumps(f"({hosts}):[0-9]+")
    return f"{{__name__=~{names},envoy_endpoint_address=~{where}}}[{RANGE}]"
