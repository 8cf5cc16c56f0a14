"""What docs/logs.md tells people to do: the Collector's configuration and Loki's queries; pure."""

import copy
import re
from dataclasses import dataclass
from typing import Any

import yaml

from cluster import paths

FILE = paths.REPOSITORY / "docs/logs.md"
_INCLUDE = "/var/log/pods/"
_QUERY = re.compile(r"^    (?P<query>(?:sum by .*)?\{service_name.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """The configuration as YAML has it, and the queries in their order."""

    configuration: dict[str, Any]
    queries: tuple[str, ...]


def read(text: str) -> Page:
    """Return what the page says.

    Raises:
        ValueError: it has not one block of YAML.
    """
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return Page(yaml.safe_load(block), tuple(found["query"] for found in _QUERY.finditer(text)))


def placed(configuration: dict[str, Any], *, pods: str, loki: str) -> dict[str, Any]:
    """Return the same configuration for files and a Loki that lie elsewhere.

    Args:
        configuration: of the page, for a node with /var/log/pods and a Loki in the cluster.
        pods: the folder that the kubelet has its pods' logs in.
        loki: scheme, host and port.

    Raises:
        KeyError, ValueError: the page does not have what is to be replaced.
    """
    changed = copy.deepcopy(configuration)
    receiver, exporter = changed["receivers"]["file_log"], changed["exporters"]["otlp_http"]
    (include,) = receiver["include"]
    if not include.startswith(_INCLUDE):
        raise ValueError(f"the receiver includes {include}, expected files below {_INCLUDE}")
    receiver["include"] = [f"{pods}/{include.removeprefix(_INCLUDE)}"]
    exporter["endpoint"] = f"{loki}/otlp"
    # Its own metrics have a port of their own, which somebody may have here; of what it says, it would leave out much.
    changed["service"]["telemetry"] = {"metrics": {"level": "none"}, "logs": {"sampling": {"enabled": False}}}
    return changed


def about(query: str, *, model: str, request_id: str) -> str:
    """Return the query for another model and request than the page's; one that names neither is as it was."""
    return re.sub(
        r'request_id="[^"]*"', f'request_id="{request_id}"', re.sub(r'model="[^"]*"', f'model="{model}"', query)
    )


def labels_of(query: str) -> set[str]:
    """Return the labels by which a query sums; none if it is one of lines."""
    found = re.match(r"sum by \(([^)]*)\)", query)
    return set(re.split(r"\s*,\s*", found[1])) if found else set()


def services_of(query: str) -> set[str]:
    """Return the services that a query of lines names.

    Raises:
        ValueError: it names none.
    """
    found = re.search(r'service_name=~?"([^"]+)"', query)
    if found is None:
        raise ValueError(f"{query} names no service_name")
    return set(found[1].split("|"))
