"""`python -m supply …`: what the images are made of, who signed them, and what is published."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from cluster import paths
from cluster.fetch import debian
from cluster.shell import CommandFailedError
from images import base
from images.build import IMAGES, Built, ImageTooLargeError, build
from supply import archives, contents, history, manifests, offline, programs, sbom, trial
from supply.licences import Policy, expression, faults
from supply.publishing import Published, Registry, publish
from supply.signing import NotSignedError, Signer, Workflow

OUTPUT = paths.REPOSITORY / "build/supply-chain"


def main() -> int:
    """Run the command line; return its exit code."""
    arguments = _parser().parse_args()
    commands: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "sboms": _sboms,
        "sign": _sign,
        "secrets": _secrets,
        "publish": _publish,
        "manifests": _manifests,
        "images-list": _images_list,
        "images-save": _images_save,
    }
    try:
        return commands[arguments.command](arguments)
    except (CommandFailedError, ImageTooLargeError, NotSignedError, OSError, RuntimeError, ValueError) as error:
        print(f"supply: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="supply", description="Supply chain of the images and the chart.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("sboms", help=f"an SBOM per image into {OUTPUT.relative_to(paths.REPOSITORY)}, licences held")
    commands.add_parser("sign", help="publish to a registry of this run, sign with a new key, verify, and try to cheat")
    commands.add_parser("secrets", help="search the history for secrets")
    publishing = commands.add_parser("publish", help="push images and chart, sign them as this workflow, verify")
    publishing.add_argument("registry", metavar="REGISTRY", help="such as ghcr.io/leeway-dev")
    publishing.add_argument("--identity", required=True, help="regular expression of the workflow that signs")
    save = commands.add_parser("images-save", help="images, SBOMs, values and checksums for a site without a way out")
    save.add_argument("folder", metavar="FOLDER", type=Path)
    for name, text in (("manifests", "the chart as kubectl applies it"), ("images-list", "the images that it needs")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--namespace", default="leeway")
        command.add_argument("--values", type=Path, action="append", default=[], metavar="FILE")
        if name == "manifests":
            command.add_argument("folder", type=Path, metavar="FOLDER")
    return parser


def _sboms(_: argparse.Namespace) -> int:
    wrong = _write_sboms(_build())[1]
    return _tell(wrong)


def _sign(_: argparse.Namespace) -> int:
    built = _build()
    written, wrong = _write_sboms(built)
    trial.run(programs.crane(), programs.cosign(), _archives(built, written), _tag(), say=print)
    return _tell(wrong)


def _secrets(_: argparse.Namespace) -> int:
    gitleaks = programs.gitleaks()
    if not history.is_found(gitleaks):
        raise RuntimeError("gitleaks did not find a private key that was committed for it to find")
    found = history.secrets(gitleaks, report=OUTPUT / "secrets.json")
    print(f"secrets: {len(found)} in the history")
    return _tell(found)


def _publish(arguments: argparse.Namespace) -> int:
    built = _build()
    written, wrong = _write_sboms(built)
    if wrong:
        return _tell(wrong)
    registry = Registry(arguments.registry, programs.crane())
    signer = Signer(programs.cosign(), Workflow(arguments.identity))
    with tempfile.TemporaryDirectory() as work:
        published: Published = publish(registry, signer, _archives(built, written), _tag(), Path(work))
    (OUTPUT / "published.txt").write_text(published.text(), encoding="utf-8")
    print(published.text(), end="")
    return 0


def _manifests(arguments: argparse.Namespace) -> int:
    manifests.write(manifests.render(arguments.values, arguments.namespace), arguments.folder)
    print(
        f"kubectl apply --server-side -f {arguments.folder}/1-kinds.yaml",
        "kubectl wait --for condition=Established crd/modelrollouts.leeway.dev",
        f"kubectl apply --server-side -f {arguments.folder}/2-leeway.yaml",
        sep=" &&\n",
    )
    return 0


def _images_list(arguments: argparse.Namespace) -> int:
    print(*manifests.images(manifests.render(arguments.values, arguments.namespace)), sep="\n")
    return 0


def _images_save(arguments: argparse.Namespace) -> int:
    built = _build()
    written, wrong = _write_sboms(built)
    offline.save(arguments.folder, built, written)
    print((arguments.folder / "images.txt").read_text(encoding="utf-8"), end="")
    return _tell(wrong)


def _build() -> dict[str, Built]:
    return {name: build(name) for name in IMAGES}


def _write_sboms(built: Mapping[str, Built]) -> tuple[dict[str, Path], list[str]]:
    """Write each image's SBOM and the table of licences; return the SBOMs and what is wrong with the licences."""
    policy, written, wrong, table = Policy.read(), {}, [], ["image\tpackage\tversion\tlicence\n"]
    below = contents.changelog_versions(debian.unpack(base.PACKAGES), base.PACKAGES)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, made in built.items():
        image = archives.read(made.archive, contents.wanted)
        packages = contents.packages(image, below)
        written[name] = OUTPUT / f"{name}.cdx.json"
        written[name].write_text(sbom.document(image, contents.system(image), packages, policy), encoding="utf-8")
        wrong += [f"{name}: {fault}" for fault in faults(packages, policy)]
        for package in packages:
            licence = expression(package, policy) if package.kind == "pypi" else ", ".join(package.stated)
            table.append(f"{name}\t{package.name}\t{package.version or ''}\t{licence or ''}\n")
        unknown = [package.name for package in packages if package.version is None]
        told = f"; of no known version: {', '.join(unknown)}" if unknown else ""
        print(f"{name}: {len(packages)} packages{told}", flush=True)
    (OUTPUT / "licences.tsv").write_text("".join(table), encoding="utf-8")
    return written, wrong


def _archives(built: Mapping[str, Built], sboms: Mapping[str, Path]) -> dict[str, tuple[Path, Path]]:
    return {name: (made.archive, sboms[name]) for name, made in built.items()}


def _tag() -> str:
    """The tag that the chart asks for."""
    chart = yaml.safe_load((manifests.CHART / "Chart.yaml").read_text(encoding="utf-8"))
    return str(chart["appVersion"])


def _tell(wrong: list[str]) -> int:
    for line in wrong:
        print(f"supply: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
