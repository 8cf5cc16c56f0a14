"""What most stories begin with."""

import pytest

from tests.world import World, spec


@pytest.fixture
def world() -> World:
    """Version 1 serves."""
    world = World()
    world.release(spec("1"))
    world.settle()
    return world


@pytest.fixture
def busy(world: World) -> World:
    """Version 1 serves fifty requests a second."""
    world.rate = 50
    return world
