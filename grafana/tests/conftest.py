"""The dashboards as Grafana reads them."""

import pytest

from leeway_dashboards.main import boards
from leeway_dashboards.queries import Dashboard


@pytest.fixture(scope="session")
def built() -> list[Dashboard]:
    """All of them, just generated."""
    return boards()
