import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from detectors import OwnDetectors
from predictions import Predictions, predict
from story import Story, cluster_from_environment, diagnose

from cluster import demo, paths
from rollouts.variants import Variants, prepare

_EVIDENCE = paths.REPOSITORY / "build/e2e"


@pytest.fixture(scope="session")
def story() -> Story:
    """The cluster that `make up` left, with Leeway and the flights model on it."""
    return Story(cluster_from_environment())


@pytest.fixture(scope="session")
def samples() -> list[dict[str, Any]]:
    """A thousand flights of the test period: as an object and as a V2 request."""
    return demo.samples(1000)


@pytest.fixture(scope="session")
def bundle() -> Path:
    """The bundle that `make up` released."""
    return demo.train(demo.VERSION)


@pytest.fixture(scope="session")
def second(story: Story) -> demo.ModelImage:
    """Another version of the model, with other answers, loaded onto the node and not yet released."""
    image = demo.image(demo.train("1.1.0", ["model.params.C=0.01"]))
    story.load(image.archive)
    return image


@pytest.fixture(scope="session")
def variants(story: Story) -> Variants:
    """Versions to release as candidates, and a model server that has faults, all on the node."""
    return prepare(story.cluster)


@pytest.fixture(scope="session")
def predicted(story: Story, samples: list[dict[str, Any]]) -> Predictions:
    """Predictions whose labels are not known to the detector yet."""
    return predict(story, samples[:300])


@pytest.fixture(scope="session")
def own_detectors(story: Story) -> Iterator[OwnDetectors]:
    """A detector that loses events from now on, whose alert takes ten minutes, and one that can be killed."""
    own = OwnDetectors(story)
    try:
        own.begin()
        yield own
    finally:
        own.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep logs, events and statuses of a test that failed under build/e2e/<test>."""
    report = yield
    if report.when == "call" and report.failed and "story" in getattr(item, "funcargs", {}):
        folder = _EVIDENCE / item.name
        diagnose(item.funcargs["story"], folder)
        report.sections.append(("evidence", f"logs, events and statuses: {folder}"))
        if "cast" in item.funcargs:
            report.sections += item.funcargs["cast"].told()
    return report
