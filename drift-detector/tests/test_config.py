"""The configuration file: what the chart writes is what the service runs with, and what it would not is refused."""

import json
from pathlib import Path

import pytest

from leeway_drift.service.config import Config, ConfigError, StoreConfig, WindowConfig, read_config

EXAMPLE = Path(__file__).parents[2] / "schemas" / "examples" / "detector-config.json"


def test_the_example_that_the_chart_is_held_to_is_read_whole():
    assert read_config(EXAMPLE) == Config(
        backend="native",
        window=WindowConfig(rows=500, seconds=60.0),
        lateness=30.0,
        streams=200,
        store=StoreConfig(enabled=False, sample=0.25, retention=86400.0),
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"backend": "tensorflow"}, "backend"),
        ({"window": {"rows": 0}}, "window.rows"),
        ({"store": {"sample": 2}}, "store.sample"),
        ({"streams": 0}, "streams"),
        ({"latenes": 5}, "latenes"),
    ],
)
def test_what_the_chart_would_not_write_is_refused_by_its_name(change: dict[str, object], named: str, tmp_path: Path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(EXAMPLE.read_text()) | change))
    with pytest.raises(ConfigError, match=rf"config\.json: {named}: "):
        read_config(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"config\.json: No such file"):
        read_config(tmp_path / "config.json")
