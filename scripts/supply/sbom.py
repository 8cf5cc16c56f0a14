"""Writes what an image is made of as a CycloneDX document."""

import uuid
from dataclasses import dataclass

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from supply.archives import Image
from supply.contents import Package, System
from supply.licences import Policy, expression

_NAMESPACE = uuid.UUID("6f3d3b0c-6f0e-5d0a-9a53-5f7a8c6c7a11")


@dataclass(frozen=True)
class Model:
    """A model that an image carries: name, version, and the digest ("sha256:…") of its bundle."""

    name: str
    version: str
    digest: str


def document(
    image: Image, system: System | None, packages: list[Package], policy: Policy, model: Model | None = None
) -> str:
    """Return the CycloneDX 1.6 document of an image as JSON: the same text for the same image.

    It carries no time, since it says nothing that could change with it; its serial number is made of the image's
    digest.

    Raises:
        ValueError: the document does not keep to CycloneDX's own schema.
    """
    repository, _, tag = image.reference.rpartition(":")
    name = repository.rpartition("/")[2]
    subject = Component(
        type=ComponentType.CONTAINER,
        name=repository,
        version=tag,
        bom_ref=image.digest,
        purl=PackageURL("oci", name=name, version=image.digest, qualifiers={"repository_url": repository, "tag": tag}),
    )
    components = [_component(package, image, system, policy) for package in packages]
    if system:
        components.append(
            Component(
                type=ComponentType.OPERATING_SYSTEM, name=system.id, version=system.version, bom_ref=f"os:{system.id}"
            )
        )
    if model:
        components.append(
            Component(
                type=ComponentType.MACHINE_LEARNING_MODEL,
                name=model.name,
                version=model.version,
                bom_ref=f"model:{model.name}@{model.version}",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=model.digest.removeprefix("sha256:"))],
            )
        )
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, image.digest), components=components)
    bom.metadata = BomMetaData(component=subject)
    bom.metadata.timestamp = None  # type: ignore[assignment]  # the schema asks for none, the library's type for one
    bom.register_dependency(subject, components)
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if fault is not None:
        raise ValueError(f"SBOM of {image.reference}: {fault}")
    return text


def _component(package: Package, image: Image, system: System | None, policy: Policy) -> Component:
    purl = _purl(package, image, system)
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=_licences(package, policy),
        evidence=ComponentEvidence(
            # Named, since a name made at random would be another in the next document.
            occurrences=[Occurrence(bom_ref=f"{purl.to_string()}#{path}", location=path) for path in package.locations]
        )
        if package.locations
        else None,
    )


def _licences(package: Package, policy: Policy) -> list[License]:
    if package.kind == "deb":  # several names of Debian's own, of several files: no expression joins them
        return [DisjunctiveLicense(name=name) for name in package.stated]
    found = expression(package, policy)
    return [LicenseExpression(found)] if found else [DisjunctiveLicense(name=name) for name in package.stated]


def _purl(package: Package, image: Image, system: System | None) -> PackageURL:
    if package.kind == "pypi":
        return PackageURL("pypi", name=package.name, version=package.version)
    # By these two scanners choose what they compare with: the release by its number, since Grype takes a codename for
    # an unknown release and finds nothing, and the source, by which Debian's advisories are named.
    qualifiers = {"arch": image.architecture}
    if system:
        qualifiers["distro"] = f"{system.id}-{system.version}"
    if package.source:
        qualifiers["upstream"] = package.source
    namespace = system.id if system else "debian"
    return PackageURL("deb", namespace=namespace, name=package.name, version=package.version, qualifiers=qualifiers)
