"""cert-manager, from its own chart and our build of its three programs."""

from cluster import versions
from cluster.addons import sources
from cluster.addons.images import AddonImage, program
from cluster.addons.kube import Kube, Manifest
from cluster.fetch import golang
from cluster.progress import Step, wait_until

_NAMESPACE = "cert-manager"
_PROGRAMS = ("controller", "cainjector", "webhook")
_CHECK = "startupapicheck"
_REQUESTS = {"requests": {"cpu": "10m", "memory": "48Mi"}}
_ISSUER: Manifest = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "Issuer",
    "metadata": {"name": "probe", "namespace": "default"},
    "spec": {"selfSigned": {}},
}


def images() -> list[AddonImage]:
    """One image per program, all of the same layer: the chart gives arguments only, so each has its own entrypoint."""
    return [_image_of(name) for name in _PROGRAMS]


def check_image() -> AddonImage:
    """The image of the job with which the chart waits for its webhook; `install` waits for it itself."""
    return _image_of(_CHECK)


def install(kube: Kube, step: Step) -> None:
    """Install cert-manager and return once its webhook answers for an Issuer."""
    shared = {"strategy": {"type": "Recreate"}, "resources": _REQUESTS}
    kube.helm_install(
        "cert-manager",
        sources.files("cert-manager") / "deploy/charts/cert-manager",
        namespace=_NAMESPACE,
        values={
            "crds": {"enabled": True},
            # A secret goes with its certificate, so that an uninstalled release leaves none.
            "enableCertificateOwnerRef": True,
            "startupapicheck": {"enabled": False},
            # A monitor of the cluster finds it, without the Services and annotations that the chart has for others.
            "prometheus": {"enabled": False},
            "extraArgs": ["--metrics-listen-address=:9402"],
            "image": _image("controller"),
            **shared,
            "webhook": {"image": _image("webhook"), **shared},
            "cainjector": {"image": _image("cainjector"), **shared},
        },
    )
    wait_until(lambda: kube.accepts(_ISSUER), seconds=180, what="cert-manager's webhook", step=step)
    kube.wait("deployment/cert-manager", "condition=Available", namespace=_NAMESPACE, seconds=60, step=step)


def _image_of(name: str) -> AddonImage:
    binary = golang.build("cert-manager", ["."]) / "cert-manager"
    return program(_reference(name), binary, ["cert-manager", *_PROGRAMS, _CHECK], entrypoint=f"/usr/local/bin/{name}")


def _reference(name: str) -> str:
    return f"docker.io/leeway/cert-manager-{name}:{versions.modules()['cert-manager'].version}"


def _image(name: str) -> dict[str, str]:
    repository, _, tag = _reference(name).rpartition(":")
    return {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}
