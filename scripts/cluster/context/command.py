"""What the Makefile's variables say about a cluster of somebody else's."""

from collections.abc import Mapping

from cluster import paths, profiles
from cluster.addons.kube import Kube
from cluster.context import install, reach
from cluster.context.install import Wish
from cluster.fetch import tools

COMMANDS = ("prerequisites", "up")
"""What knows CONTEXT."""
_WITHOUT_A_CLUSTER = ("build", "bundle", "tools")


def asked(environment: Mapping[str, str], command: str) -> Wish | None:
    """Return what CONTEXT, PROFILE, IMAGE_REGISTRY and VERIFIED ask for; None without CONTEXT.

    Raises:
        RuntimeError: the command is of the built-in cluster alone, or of such contexts alone.
        ValueError: there is no such profile.
        FileNotFoundError: VERIFIED is not the folder of a verified release.
    """
    context = environment.get("CONTEXT", "")
    if not context and command == "prerequisites":
        raise RuntimeError("expected CONTEXT=name: the built-in cluster has its own in make up")
    if not context or command in _WITHOUT_A_CLUSTER:
        return None
    if command not in COMMANDS:
        raise RuntimeError(
            f"CONTEXT={context}: {command} is of the built-in cluster. docs/clusters.md has what to call for another"
        )
    verified = paths.REPOSITORY / environment["VERIFIED"] if environment.get("VERIFIED") else None
    if verified is not None and not ((verified / "chart").is_file() and (verified / "values.yaml").is_file()):
        raise FileNotFoundError(f"VERIFIED={verified}: expected the folder that make verify-release writes")
    profile = profiles.CHOICE.choose(environment.get("PROFILE", ""), None)
    return Wish(context, profile, environment.get("IMAGE_REGISTRY", ""), verified)


def run(wish: Wish, environment: Mapping[str, str], command: str) -> str:
    """Do it, and return what to show."""
    kube = Kube(reach.kubeconfig(environment), tools.fetch(), wish.context)
    if command == "up":
        return install.install(wish, kube)
    install.prerequisites(wish, kube)
    return f"{wish.context} has all that Leeway stands on"
