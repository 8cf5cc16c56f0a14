from io import StringIO

import pandas as pd
import pytest

from leeway_training.bundle import Bundle
from leeway_training.config import Config
from leeway_training.configfile import parse_config
from leeway_training.progress import Progress
from leeway_training.train import train

from .world import CONFIG, MULTICLASS, REGRESSION, Configure, Run, deliveries


@pytest.fixture
def frame() -> pd.DataFrame:
    return deliveries()


@pytest.fixture(scope="session")
def configure() -> Configure:
    """Parse the small world's configuration with overrides, as the command line gives them."""
    return lambda *overrides: parse_config(CONFIG, overrides=overrides)


@pytest.fixture(scope="session")
def run() -> Run:
    """Train in memory, silently."""

    def run(config: Config, frame: pd.DataFrame) -> Bundle:
        return train(config, frame, data_sha256="0" * 64, progress=Progress(9, stream=StringIO(), clock=lambda: 0.0))

    return run


@pytest.fixture(scope="session")
def trained(configure: Configure, run: Run) -> Bundle:
    return run(configure(), deliveries())


@pytest.fixture(scope="session", params=[(), REGRESSION, MULTICLASS], ids=["binary", "regression", "multiclass"])
def every_task(request: pytest.FixtureRequest, configure: Configure, run: Run) -> tuple[Config, Bundle]:
    config = configure(*request.param)
    return config, run(config, deliveries())
