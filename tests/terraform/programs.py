"""Programs that stand at the edge of Terraform: each writes down how it was called."""

import json
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCRIPT = """#!{python}
import json, pathlib, subprocess, sys
folder = pathlib.Path({folder!r})
arguments = sys.argv[1:]
given = sys.stdin.read() if "--values" in arguments else ""
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps([{name!r}, arguments, given]) + "\\n")
{behaviour}
"""
# A release is a file with the values that it was given last; one that is to fail is named by a file in `failing`.
_HELM = """
release = folder / "releases" / (arguments[2] if arguments[0] == "upgrade" else arguments[1])
release.parent.mkdir(exist_ok=True)
if arguments[0] == "upgrade" and (folder / "failing" / release.name).exists():
    sys.exit("Error: UPGRADE FAILED: context deadline exceeded")
if arguments[0] == "upgrade":
    release.write_text(given)
elif arguments[0] == "status" and not release.exists():
    sys.exit("Error: release: not found")
elif arguments[0] == "uninstall":
    release.unlink(missing_ok=True)
"""
# Also renders the chart with the real helm, as an upgrade would before it sends anything.
_RENDERING = """
if arguments[0] == "upgrade":
    options = arguments[2:]
    history = options.index("--history-max")
    del options[history:history + 2]
    command = [HELM, "template", "--include-crds", *options]
    done = subprocess.run(command, input=given, text=True, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr)
    rendered = folder / "rendered"
    rendered.mkdir(exist_ok=True)
    (rendered / arguments[2]).write_text(done.stdout)
"""


@dataclass(frozen=True)
class Call:
    """One call of a program."""

    program: str
    arguments: list[str]
    stdin: str

    def option(self, flag: str) -> str | None:
        """Return what follows `flag`, or None."""
        return self.arguments[self.arguments.index(flag) + 1] if flag in self.arguments else None


@dataclass(frozen=True)
class Programs:
    """A folder, first on PATH, with programs that write down how they were called."""

    folder: Path

    def minikube(self) -> None:
        self._add("minikube", "")

    def sleep(self) -> None:
        self._add("sleep", "")

    def helm(self, *, renders_with: Path | None = None) -> None:
        rendering = _RENDERING.replace("HELM", repr(str(renders_with))) if renders_with else ""
        self._add("helm", _HELM + rendering)

    def forget(self, release: str) -> None:
        """Take a release away behind Terraform's back."""
        (self.folder / "releases" / release).unlink()

    def fail(self, release: str) -> None:
        """Have helm fail at a release until it is mended."""
        (self.folder / "failing").mkdir(exist_ok=True)
        (self.folder / "failing" / release).touch()

    def mend(self, release: str) -> None:
        (self.folder / "failing" / release).unlink()

    def calls(self) -> list[Call]:
        """Return the calls since the last time that this was asked."""
        file = self.folder / "calls"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [Call(*json.loads(line)) for line in lines]

    def rendered(self, release: str) -> str:
        return (self.folder / "rendered" / release).read_text(encoding="utf-8")

    def _add(self, name: str, behaviour: str) -> None:
        values: dict[str, Any] = {"python": sys.executable, "folder": str(self.folder), "name": name}
        file = self.folder / name
        file.write_text(_SCRIPT.format(**values, behaviour=behaviour), encoding="utf-8")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
