"""The table of docs/terraform.md is what the prices and the environments give."""

import pytest

from cluster import paths
from infrastructure import costs

PRICES = {
    "spot": 0.5,
    "hour": {
        "control plane of EKS": 0.1,
        "NAT gateway": 0.05,
        "public address": 0.01,
        "load balancer": 0.02,
        "interface endpoint": 0.01,
        "nodes": {"big": 1.0},
    },
    "month": {"GB of disk": 0.1, "key": 1.0},
}


def test_a_machine_that_rests_is_billed_for_its_hours_and_its_disk() -> None:
    lines = costs.bill({"addresses": 1, "nodes": {"big spot": 1}, "disk_gb": 10}, PRICES, hours=100)
    assert costs.total(lines) == pytest.approx(100 * 0.5 + 100 * 0.01 + 10 * 0.1)


def test_a_cluster_is_billed_for_all_that_stands_around_it() -> None:
    billed = {
        "control_planes": 1,
        "nat_gateways": 2,
        "interface_endpoints": 3,
        "nodes": {"big on demand": [2, 1]},
        "disk_gb": 100,
    }
    hourly = 0.1 + 2 * (0.05 + 0.01) + 3 * 0.01 + 0.02 + 3 * 1.0
    assert costs.total(costs.bill(billed, PRICES)) == pytest.approx(730 * hourly + 100 * 0.1 + 1)


def test_what_has_no_price_is_named() -> None:
    with pytest.raises(KeyError, match="huge"):
        costs.bill({"nodes": {"huge spot": 1}, "disk_gb": 1}, PRICES)


@pytest.mark.parametrize(("environment", "limit"), [("ec2, spot", 25), ("ec2, hours", 10)])
def test_the_small_profiles_stay_below_what_they_promise(environment: str, limit: int) -> None:
    assert costs.total(costs.environments()[environment]) < limit


def test_the_documentation_has_this_table() -> None:
    """`python -m infrastructure costs`, in scripts/, prints it."""
    text = (paths.REPOSITORY / "docs/terraform.md").read_text(encoding="utf-8")
    assert costs.table(costs.environments()) in text
