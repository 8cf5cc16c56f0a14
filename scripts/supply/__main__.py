"""`python -m supply …`: what the images are made of, who signed them, and what is published."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import yaml

from cluster import paths
from cluster.fetch import debian
from cluster.shell import CommandFailedError, run
from images import base
from images.build import IMAGES, Built, ImageTooLargeError, build, build_model, bundle_identity
from supply import archives, contents, history, manifests, offline, prerequisites, programs, repairs, sbom, trial
from supply.environments import Environments
from supply.licences import Policy, expression, faults
from supply.publishing import Published, Registry, publish, verify
from supply.signing import NotSignedError, Signer, Workflow

OUTPUT = paths.REPOSITORY / "build/supply-chain"


def main() -> int:
    """Run the command line; return its exit code."""
    arguments = _parser().parse_args()
    commands: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "sboms": _sboms,
        "sign": _sign,
        "secrets": _secrets,
        "actionlint": _actionlint,
        "login": _login,
        "publish": _publish,
        "publish-model": _publish_model,
        "verify": _verify,
        "promote": _promote,
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
    commands.add_parser("actionlint", help="read the workflows as GitHub would")
    commands.add_parser("secrets", help="search the history for secrets")
    login = commands.add_parser("login", help="log in as REGISTRY_USER with REGISTRY_PASSWORD of the environment")
    login.add_argument("--registry", required=True, help="such as ghcr.io/leeway-dev")
    publishing = commands.add_parser("publish", help="push images and chart, sign them as this workflow, verify")
    model = commands.add_parser(
        "publish-model", help="push a bundle's image, sign it, and release it to an environment"
    )
    model.add_argument("name", metavar="NAME", help="the model's name")
    model.add_argument("bundle", metavar="BUNDLE", type=Path)
    model.add_argument("environment", metavar="ENVIRONMENT")
    verifying = commands.add_parser("verify", help="check who signed what a version of the chart needs")
    verifying.add_argument("version", metavar="VERSION")
    for command in (publishing, model, verifying):
        command.add_argument("--registry", required=True, help="such as ghcr.io/leeway-dev")
        command.add_argument("--identity", required=True, help="regular expression of the workflow that signs")
        command.add_argument("--issuer", required=True, help="address of who vouches for the workflow")
    promoting = commands.add_parser("promote", help="have an environment run the bundle that another one runs")
    for name in ("model", "source", "target"):
        promoting.add_argument(name, metavar=name.upper())
    save = commands.add_parser("images-save", help="images, SBOMs, values and checksums for a site without a way out")
    save.add_argument("folder", metavar="FOLDER", type=Path)
    for name, text in (
        ("manifests", "the chart as kubectl applies it"),
        ("images-list", "the images that it takes"),
    ):
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
    _tell_repairs(written)
    trial.run(programs.crane(), programs.cosign(), _archives(built, written), _tag(), say=print)
    return _tell(wrong)


def _secrets(_: argparse.Namespace) -> int:
    gitleaks = programs.gitleaks()
    if not history.is_found(gitleaks):
        raise RuntimeError("gitleaks did not find a private key that was committed for it to find")
    found = history.secrets(gitleaks, report=OUTPUT / "secrets.json")
    print(f"secrets: {len(found)} in the history")
    return _tell(found)


def _actionlint(_: argparse.Namespace) -> int:
    run([programs.actionlint(), "-no-color"], cwd=paths.REPOSITORY)
    return 0


def _login(arguments: argparse.Namespace) -> int:
    user, password = os.environ.get("REGISTRY_USER"), os.environ.get("REGISTRY_PASSWORD")
    if not user or not password:
        raise ValueError("login: expected REGISTRY_USER and REGISTRY_PASSWORD in the environment")
    Registry(arguments.registry, programs.crane()).login(user, password)
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    built = _build()
    written, wrong = _write_sboms(built)
    if wrong:
        return _tell(wrong)
    registry, signer = _release(arguments)
    with tempfile.TemporaryDirectory() as work:
        published: Published = publish(registry, signer, _archives(built, written), _tag(), Path(work))
    (OUTPUT / "published.txt").write_text(published.text(), encoding="utf-8")
    (OUTPUT / "subjects.txt").write_text(published.subjects(), encoding="utf-8")
    print(published.text(), end="")
    return 0


def _publish_model(arguments: argparse.Namespace) -> int:
    built = build_model(arguments.bundle, arguments.name)
    version, digest = bundle_identity(arguments.bundle)
    name, tag = f"model-{arguments.name}", built.reference.rpartition(":")[2]
    registry, signer = _release(arguments)
    reference = registry.push_image(built.archive, name, tag)
    signer.sign(reference, _model_sbom(built, sbom.Model(arguments.name, version, digest)))
    signer.verify(reference, sbom=True)
    block = {"storageUri": f"oci://{reference}", "version": version, "digest": digest}
    print(Environments().release(arguments.environment, arguments.name, block))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    registry, signer = _release(arguments)
    published = registry.released(IMAGES, arguments.version)
    verify(published, signer)
    folder = OUTPUT / "verified"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "chart").write_text(f"oci://{published.chart}\n", encoding="utf-8")
    values = yaml.safe_dump(published.pinned(arguments.registry, arguments.version))
    (folder / "values.yaml").write_text(values, encoding="utf-8")
    print(published.text(), end="")
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    print(Environments().promote(arguments.model, arguments.source, arguments.target))
    return 0


def _release(arguments: argparse.Namespace) -> tuple[Registry, Signer]:
    registry = Registry(arguments.registry, programs.crane())
    return registry, Signer(programs.cosign(), Workflow(arguments.identity, arguments.issuer))


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
    with tempfile.TemporaryDirectory() as work:
        # The chart asks for the server's image only where there is a model, which a platform gets later.
        model = {"storageUri": "s3://any/model", "version": "0", "digest": f"sha256:{'0' * 64}"}
        some = Path(work) / "values.yaml"
        some.write_text(yaml.safe_dump({"models": {"any": {"model": model}}}), encoding="utf-8")
        own = manifests.images(manifests.render([*arguments.values, some], arguments.namespace))
    print(prerequisites.text({"Leeway and its models": own, **prerequisites.groups()}), end="")
    return 0


def _images_save(arguments: argparse.Namespace) -> int:
    built = _build()
    written, wrong = _write_sboms(built)
    others = prerequisites.groups()
    offline.save(arguments.folder, built, written, others)
    print((arguments.folder / "images.txt").read_text(encoding="utf-8"), end="")
    count = sum(len(images) for images in others.values())
    print(f"not saved: {count} images of other projects (prerequisites.txt), and those of models")
    return _tell(wrong)


def _build() -> dict[str, Built]:
    return {name: build(name) for name in IMAGES}


def _write_sboms(built: Mapping[str, Built]) -> tuple[dict[str, Path], list[str]]:
    """Write each image's SBOM and the table of licences; return the SBOMs and what is wrong with the licences."""
    policy, written, wrong, table = Policy.read(), {}, [], ["image\tpackage\tversion\tlicence\n"]
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, made in built.items():
        image = archives.read(made.archive, contents.wanted)
        packages = contents.packages(image)
        wrong += [f"{name}: Debian's {package} has no record" for package in sorted(_unrecorded(packages))]
        written[name] = OUTPUT / f"{name}.cdx.json"
        written[name].write_text(sbom.document(image, contents.system(image), packages, policy), encoding="utf-8")
        wrong += [f"{name}: {fault}" for fault in faults(packages, policy)]
        for package in packages:
            licence = expression(package, policy) if package.kind == "pypi" else ", ".join(package.stated)
            table.append(f"{name}\t{package.name}\t{package.version}\t{licence or ''}\n")
        print(f"{name}: {len(packages)} packages", flush=True)
    (OUTPUT / "licences.tsv").write_text("".join(table), encoding="utf-8")
    return written, wrong


def _model_sbom(built: Built, model: sbom.Model) -> Path:
    """Write the SBOM of a model's image: the model, and the little that it stands on."""
    image = archives.read(built.archive, contents.wanted)
    text = sbom.document(image, contents.system(image), contents.packages(image), Policy.read(), model)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    written = OUTPUT / f"model-{model.name}.cdx.json"
    written.write_text(text, encoding="utf-8")
    return written


def _unrecorded(packages: Collection[contents.Package]) -> set[str]:
    """What every image stands on, and that its records do not name."""
    return set(base.PACKAGES) - {package.name for package in packages if package.kind == "deb"}


def _tell_repairs(written: Mapping[str, Path]) -> None:
    """Say which of Debian's packages have become old since the base was made; a new base has none."""
    held = {
        name: version for file in written.values() for name, version in repairs.held(file.read_text("utf-8")).items()
    }
    try:
        old = repairs.behind(held, debian.newest(held))
    except CommandFailedError as error:
        print(f"Debian could not be asked for repairs: {error}")
        return
    for line in old:
        print(f"old  {line}")
    print(f"Debian's packages: {len(held)}, of which {len(old)} have a newer version today", flush=True)


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
