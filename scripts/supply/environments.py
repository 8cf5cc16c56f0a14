"""Which bundle runs in which environment: deploy/models-<environment>.yaml, which only these functions write."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster import paths

DEPLOY = paths.REPOSITORY / "deploy"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FIELDS = ("storageUri", "version", "digest")


@dataclass(frozen=True)
class Environments:
    """The environments' files in `folder`."""

    folder: Path = DEPLOY

    def release(self, environment: str, model: str, block: Mapping[str, str]) -> str:
        """Have `environment` run the bundle of `block`, the chart's values.models.<model>.model; return what was done.

        Raises:
            ValueError: there is no such environment, the block is not whole, or the bundle runs there already.
        """
        if set(block) != set(_FIELDS) or not _DIGEST.fullmatch(block["digest"]):
            raise ValueError(f"bundle of {model}: expected {', '.join(_FIELDS)} with a digest sha256:…, found {block}")
        header, content = self._read(environment)
        models: dict[str, Any] = content["models"]
        if models.get(model, {}).get("model") == block:
            raise ValueError(f"{model} {block['version']} is what {environment} runs already")
        models[model] = {"model": {field: block[field] for field in _FIELDS}}
        text = yaml.safe_dump({"models": dict(sorted(models.items()))}, sort_keys=False, width=200)
        self.file(environment).write_text(header + text, encoding="utf-8")
        return f"Release {model} {block['version']} to {environment}"

    def promote(self, model: str, source: str, target: str) -> str:
        """Have `target` run the bundle of `model` that `source` runs; return what was done.

        Raises:
            ValueError: there is no such environment, `source` does not run the model, or `target` runs that bundle.
        """
        _, content = self._read(source)
        if model not in content["models"]:
            known = ", ".join(content["models"]) or "no model"
            raise ValueError(f"{source} does not run {model}; it runs {known}")
        return self.release(target, model, content["models"][model]["model"])

    def file(self, environment: str) -> Path:
        """Return the file of an environment.

        Raises:
            ValueError: there is no such environment.
        """
        file = self.folder / f"models-{environment}.yaml"
        if not file.is_file():
            known = ", ".join(sorted(found.stem.removeprefix("models-") for found in self.folder.glob("models-*.yaml")))
            raise ValueError(f"environment {environment!r}: expected one of {known}")
        return file

    def _read(self, environment: str) -> tuple[str, dict[str, Any]]:
        """Return the comment that the file begins with, and its content."""
        text = self.file(environment).read_text(encoding="utf-8")
        header = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
        content = yaml.safe_load(text)
        if not isinstance(content, dict) or not isinstance(content.get("models"), dict):
            raise ValueError(f"{self.file(environment)}: expected `models`, by name")  # noqa: TRY004 - a fault in a file
        return header, content
