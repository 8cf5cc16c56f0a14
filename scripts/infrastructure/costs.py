"""What each environment of terraform/ costs a month, from what it has (billed.json) and list prices (prices.toml).

The tests of each environment hold billed.json to what Terraform plans; docs/terraform.md carries the table.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import paths

_PRICES = Path(__file__).with_name("prices.toml")
_ENVIRONMENTS = paths.REPOSITORY / "terraform/environments"
HOURS = 730  # of a month: 8,760 of a year by twelve
# Eight hours on five days, 52 weeks by twelve months.
WORKING_HOURS = 173
# A cluster of EKS stands behind one load balancer and has one key.
_EKS = {"load balancer": 1, "key": 1}


@dataclass(frozen=True)
class Line:
    """One line of a bill: so many of something, at so much for each hour or month."""

    what: str
    count: float
    price: float
    hours: int | None = None

    @property
    def usd(self) -> float:
        """USD a month."""
        return self.count * self.price * (self.hours or 1)

    def __str__(self) -> str:
        factors = [f"{self.count:g} {self.what}", f"{self.price:g}", *([f"{self.hours} h"] if self.hours else [])]
        return " \N{MULTIPLICATION SIGN} ".join(factors)


def bill(billed: Mapping[str, Any], prices: Mapping[str, Any], *, hours: int = HOURS) -> list[Line]:
    """Return the lines of a month's bill.

    Args:
        billed: what there is, as the output `billed` of an environment has it.
        prices: USD, as in prices.toml.
        hours: of a month in which the machines run; what has no machine is billed for all of them.

    Raises:
        KeyError: something has no price.
    """
    hourly, monthly = prices["hour"], prices["month"]
    lines = [
        Line(name, count, _node(name, prices), hours)
        for name, counts in billed["nodes"].items()
        for count in (counts if isinstance(counts, list) else [counts])
    ]
    gateways = billed.get("nat_gateways", 0)
    every_hour = {
        "control plane of EKS": billed.get("control_planes", 0),
        "NAT gateway": gateways,
        "interface endpoint": billed.get("interface_endpoints", 0),
        "load balancer": _EKS["load balancer"] if "control_planes" in billed else 0,
    }
    lines += [Line(name, count, hourly[name], HOURS) for name, count in every_hour.items() if count]
    if addresses := billed.get("addresses", gateways):
        # A NAT gateway keeps its address; a machine that is stopped gives it back.
        lines.append(Line("public address", addresses, hourly["public address"], hours))
    lines.append(Line("GB of disk", billed["disk_gb"], monthly["GB of disk"]))
    if "control_planes" in billed:
        lines.append(Line("key", _EKS["key"], monthly["key"]))
    return lines


def environments() -> dict[str, list[Line]]:
    """Return the bill of each environment, those of a machine by their profile."""
    prices = tomllib.loads(_PRICES.read_text(encoding="utf-8"))
    bills: dict[str, list[Line]] = {}
    for name in ("ec2", "dev", "staging", "prod"):
        billed = json.loads((_ENVIRONMENTS / name / "billed.json").read_text(encoding="utf-8"))
        if "nodes" in billed:
            bills[name] = bill(billed, prices)
            continue
        for profile, each in billed.items():
            bills[f"{name}, {profile}"] = bill(each, prices, hours=WORKING_HOURS if profile == "hours" else HOURS)
    return bills


def total(lines: Sequence[Line]) -> float:
    """Return USD a month."""
    return sum(line.usd for line in lines)


def table(bills: Mapping[str, Sequence[Line]]) -> str:
    """Return the bills as a table in Markdown, the cheapest first."""
    rows = ["| environment | USD a month | reckoned as |", "|---|---|---|"]
    for name, lines in sorted(bills.items(), key=lambda item: total(item[1])):
        rows.append(f"| {name} | {total(lines):.2f} | {'; '.join(f'{line} = {line.usd:.2f}' for line in lines)} |")
    return "\n".join(rows)


def _node(name: str, prices: Mapping[str, Any]) -> float:
    kind, _, capacity = name.partition(" ")
    price: float = prices["hour"]["nodes"][kind]
    return round(price * prices["spot"], 4) if capacity == "spot" else price
