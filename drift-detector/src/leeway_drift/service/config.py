"""The configuration file, as the chart writes it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from leeway_drift.streaming.limits import Limits


class ConfigError(ValueError):
    """The file cannot be used; the message names it, the field and what was expected."""


class _Section(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class WindowConfig(_Section):
    """Overrides of what the profiles say, for all versions; a profile is calibrated for its own window only."""

    rows: Annotated[int, Field(ge=1)] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None


class StoreConfig(_Section):
    """The prediction store."""

    enabled: bool = True
    sample: Annotated[float, Field(gt=0, le=1)] = 1.0
    retention: Annotated[float, Field(gt=0)] = 30 * 86400.0


class Config(_Section):
    """All of it.

    Attributes:
        backend: who judges rows, beside the detectors on counts.
        window: overrides of the profiles' windows.
        lateness: seconds for which a tick waits for its last events.
        streams: versions of models that are watched at once.
        store: the prediction store.
    """

    backend: Literal["alibi", "native"] = "native"
    window: WindowConfig = WindowConfig()
    lateness: Annotated[float, Field(ge=0, le=300)] = 5.0
    streams: Annotated[int, Field(ge=1)] = Limits().streams
    store: StoreConfig = StoreConfig()


def read_config(path: Path | None) -> Config:
    """Read the file; None stands for the defaults.

    Raises:
        ConfigError: it cannot be read, or says something else than the chart would.
    """
    if path is None:
        return Config()
    try:
        return Config.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}" for fault in error.errors())
        raise ConfigError(f"{path}: {wrong}") from error
