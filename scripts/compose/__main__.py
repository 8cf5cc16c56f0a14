"""`python -m compose`: tries docker-compose.yml with podman, in containers, on a machine without a container engine.

Needs root, as building images does. Grafana is left out, for there is no image of it here, and MariaDB takes the place
of MySQL. podman comes from Debian's packages, in namespaces of its own and without a way to the network outside.
"""

import json
import secrets
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import yaml

from cluster import paths
from cluster.addons import monitoring
from cluster.shell import CommandFailedError, run
from compose import podman, stand_in, trial
from images.build import ImageTooLargeError, build

_FILE = paths.REPOSITORY / "docker-compose.yml"
_SERVICES = ("mysql", "drift-detector", "model", "prometheus")


def main() -> int:
    """Run the trial; return its exit code."""
    try:
        if sys.argv[1:2] == ["inside"]:
            _inside(Path(sys.argv[2]))
        else:
            _outside()
    except (CommandFailedError, ImageTooLargeError, OSError, RuntimeError, ValueError) as error:
        print(f"compose: {error}", file=sys.stderr)
        return 1
    return 0


def _outside() -> None:
    """Get all that is needed while there is a network, then go on in namespaces without one."""
    if not (paths.REPOSITORY / "build/model/manifest.json").exists():
        raise ValueError("no bundle in build/model; make train writes it")
    with tempfile.TemporaryDirectory(dir=paths.cache(), prefix="compose-") as name:
        folder = Path(name)
        podman.install(folder)
        archives = {
            "mysql": folder / "mysql.tar",
            "drift-detector": build("drift-detector-native").archive,
            "model": build("onnx-server").archive,
            "prometheus": next(image for image in monitoring.images() if "/prometheus:" in image.reference).build(),
        }
        named = trial.names(yaml.safe_load(_FILE.read_text(encoding="utf-8")), _SERVICES)
        stand_in.image(archives["mysql"], named["mysql"])
        (folder / "images.json").write_text(
            json.dumps([[str(archives[service]), named[service]] for service in _SERVICES]), encoding="utf-8"
        )
        inside = podman.isolated([sys.executable, "-m", "compose", "inside", folder])
        try:
            done = subprocess.run([str(part) for part in inside], check=False)
        finally:
            podman.remove_cgroups()
    if done.returncode != 0:
        raise RuntimeError(f"the trial ended with {done.returncode}")


def _inside(folder: Path) -> None:
    podman.loopback()
    images = [(Path(archive), name) for archive, name in json.loads((folder / "images.json").read_text())]
    program = folder / "bin/podman"
    # Passwords of nobody: they live as long as the trial.
    environment = folder / "environment"
    environment.write_text(f"MYSQL_PASSWORD={secrets.token_hex(8)}\nGRAFANA_PASSWORD=unused\n", encoding="utf-8")
    options: list[str | Path] = [
        "--file",
        _FILE,
        "--env-file",
        environment,
        "--in-pod",
        "false",
        "--podman-path",
        program,
    ]

    def engine(*arguments: str | Path) -> str:
        return run([program, *arguments])

    def compose(*arguments: str | Path) -> str:
        return run([sys.executable, "-m", "podman_compose", *options, *arguments], cwd=_FILE.parent)

    trial.load(engine, images, folder / "policy.json")
    print(f"images: {', '.join(name for _, name in images)}", flush=True)
    trial.run(engine, compose, _SERVICES, say=partial(print, flush=True))


if __name__ == "__main__":
    sys.exit(main())
