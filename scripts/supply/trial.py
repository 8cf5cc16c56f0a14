"""The whole way of a release on this machine: publish, sign, verify; and that a verification can fail."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from supply import registry
from supply.publishing import Registry, publish
from supply.signing import NotSignedError, Signer, key_pair


def run(
    crane: Path,
    cosign: Path,
    archives: Mapping[str, tuple[Path, Path]],
    tag: str,
    *,
    say: Callable[[str], object],
) -> None:
    """Publish to a registry that lives as long as this, sign with a key of the same age, verify, and try to cheat.

    A verification that cannot fail proves nothing: another key's signature has to be refused, and an image of which
    nothing was signed.

    Args:
        crane: the program that carries images.
        cosign: the program that signs.
        archives: an image's name → its archive and its SBOM.
        tag: of the images.
        say: is told each thing that was shown.

    Raises:
        CommandFailedError: a program failed.
        NotSignedError: a signature does not hold, or one that must not hold does.
        RuntimeError: the registry did not start.
    """
    with registry.local(crane) as address, tempfile.TemporaryDirectory() as folder:
        work, other = Path(folder) / "ours", Path(folder) / "others"
        work.mkdir()
        other.mkdir()
        place = Registry(address, crane, plain_http=True)
        signer = Signer(cosign, key_pair(cosign, work), plain_http=True)
        published = publish(place, signer, archives, tag, work)
        for reference in (*published.images.values(), published.chart):
            say(f"signed and verified  {reference.removeprefix(f'{address}/')}")
        found = place.released(archives, tag)
        if found != published:
            raise NotSignedError(f"by its tag {tag} the registry gives {found}, expected what was just signed")
        first = next(iter(published.images.values()))
        must_refuse(Signer(cosign, key_pair(cosign, other), plain_http=True), first, "by another key")
        say("refused  a signature by another key")
        name, (archive, _) = next(iter(archives.items()))
        unsigned = place.push_image(archive, f"unsigned-{name}", tag)
        must_refuse(signer, unsigned, "of nobody")
        say("refused  an image that nobody signed")


def must_refuse(signer: Signer, reference: str, what: str) -> None:
    """Check that `signer` does not take `reference` for signed.

    Raises:
        NotSignedError: it does; `what` says whose signature it took.
    """
    try:
        signer.verify(reference, sbom=False)
    except NotSignedError:
        return
    raise NotSignedError(f"{reference}: expected the signature {what} to be refused, it was accepted")
