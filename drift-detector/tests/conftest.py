import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, nothing about the code.
settings.register_profile("leeway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("leeway")

EVENTS = Path(__file__).parents[2] / "schemas" / "examples" / "events"

Event = tuple[dict[str, str], bytes]


def load(name: str) -> Event:
    """An example event: its headers by lower-case name, as ASGI servers give them, and its body."""
    document = json.loads((EVENTS / f"{name}.json").read_text())
    headers = {header.lower(): value for header, value in document["headers"].items()}
    body = document["body"].encode() if "body" in document else base64.b64decode(document["body_base64"])
    return headers, body


@pytest.fixture(scope="session")
def event() -> Callable[[str], Event]:
    return load
