"""Reading a configuration file, with overrides from the command line and errors that name the key."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from leeway_training.config import Config
from leeway_training.errors import Problem, Refused

STEP = "read the configuration"


def parse_config(text: str, *, overrides: tuple[str, ...] = (), source: str = "configuration") -> Config:
    """Read and validate a configuration.

    Args:
        text: YAML.
        overrides: ``key.path=value`` each, the value in YAML; lists are not reached into.
        source: what to call the text in errors.

    Raises:
        Refused: every key that is missing, unknown or wrong, by its path.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Refused(STEP, [Problem(source, str(error).replace("\n", " "), "YAML")]) from error
    if not isinstance(document, dict):
        raise Refused(STEP, [Problem(source, f"holds {type(document).__name__}", "a mapping with the key model")])
    for override in overrides:
        _apply(document, override)
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        problems = [
            Problem(
                ".".join([source, *(str(part) for part in fault["loc"])]),
                fault["msg"].removeprefix("Value error, "),
                f"another value than {_shorten(fault['input'])}"
                if fault["type"] != "missing"
                else "the key to be there",
            )
            for fault in error.errors()
        ]
        raise Refused(STEP, problems) from error


def read_config(path: Path, *, overrides: tuple[str, ...] = ()) -> Config:
    """Read a configuration file; see `parse_config`.

    Raises:
        Refused: the file cannot be read, or its content is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(STEP, [Problem(str(path), str(error), "a readable YAML file")]) from error
    return parse_config(text, overrides=overrides, source=path.name)


def _apply(document: dict[str, Any], override: str) -> None:
    path, separator, value = override.partition("=")
    keys = path.split(".")
    if not separator or not all(keys):
        raise Refused(STEP, [Problem(f"--set {override}", "is not key.path=value", "for example model.params.C=0.1")])
    node = document
    for key in keys[:-1]:
        child = node.setdefault(key, {})
        if not isinstance(child, dict):
            raise Refused(STEP, [Problem(f"--set {override}", f"{key} is not a mapping", "a path through mappings")])
        node = child
    try:
        node[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise Refused(
            STEP, [Problem(f"--set {override}", "the value is not YAML", "for example 0.1 or [a, b]")]
        ) from error


def _shorten(value: Any) -> str:
    text = repr(value)
    limit = 60
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
