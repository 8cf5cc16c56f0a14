"""What is published is named by digest everywhere, and known by its tag only until then."""

from pathlib import Path

import pytest

from cluster.shell import CommandFailedError
from supply.publishing import Published, Registry, verify
from supply.signing import NotSignedError

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def crane(folder: Path, script: str) -> Path:
    """A stand-in that notes its arguments and its standard input."""
    file = folder / "crane"
    file.write_text(f'#!/bin/sh\necho "$@" >> {folder}/told\n{script}\n')
    file.chmod(0o755)
    return file


def test_a_release_is_looked_up_by_its_tag_and_checked_by_digest(tmp_path: Path) -> None:
    script = f'case "$2" in *charts*) echo {TWO} ;; *) echo {ONE} ;; esac'
    registry = Registry("ghcr.io/leeway-dev", crane(tmp_path, script))
    assert registry.released(["operators"], "0.2.0") == Published(
        {"operators": f"ghcr.io/leeway-dev/leeway/operators@{ONE}"}, f"ghcr.io/leeway-dev/charts/leeway@{TWO}"
    )
    assert (tmp_path / "told").read_text().splitlines() == [
        "digest ghcr.io/leeway-dev/leeway/operators:0.2.0",
        "digest ghcr.io/leeway-dev/charts/leeway:0.2.0",
    ]


def test_a_release_that_is_not_there_fails(tmp_path: Path) -> None:
    registry = Registry("ghcr.io/leeway-dev", crane(tmp_path, "echo MANIFEST_UNKNOWN >&2; exit 1"))
    with pytest.raises(CommandFailedError, match="MANIFEST_UNKNOWN"):
        registry.released(["operators"], "9.9.9")


def test_a_password_goes_by_standard_input_and_never_by_the_command_line(tmp_path: Path) -> None:
    Registry("ghcr.io/leeway-dev", crane(tmp_path, f"cat > {tmp_path}/input")).login("robot", "secret")
    assert (tmp_path / "told").read_text() == "auth login ghcr.io --username robot --password-stdin\n"
    assert (tmp_path / "input").read_text() == "secret"


def test_the_chart_is_told_digests_beside_tags() -> None:
    published = Published({"operators": f"ghcr.io/a/leeway/operators@{ONE}", "training": "x"}, "y")
    assert published.pinned("ghcr.io/a", "0.2.0") == {
        "images": {"registry": "ghcr.io/a", "operators": {"tag": f"0.2.0@{ONE}"}}
    }


class Knows:
    """A signer who knows some references."""

    def __init__(self, *known: str) -> None:
        self._known = known

    def verify(self, reference: str, *, sbom: bool) -> None:
        if f"{reference} {sbom}" not in self._known:
            raise NotSignedError(reference)


def test_images_with_their_sboms_and_the_chart_have_to_be_signed_all() -> None:
    published = Published({"operators": "image"}, "chart")
    verify(published, Knows("image True", "chart False"))
    for known in (("image True",), ("chart False",), ("image False", "chart False")):
        with pytest.raises(NotSignedError):
            verify(published, Knows(*known))


def test_provenance_is_told_what_it_is_of_as_sha256sum_writes_it() -> None:
    published = Published({"operators": f"ghcr.io/a/leeway/operators@{ONE}"}, f"ghcr.io/a/charts/leeway@{TWO}")
    assert published.subjects() == f"{'1' * 64}  ghcr.io/a/leeway/operators\n{'2' * 64}  ghcr.io/a/charts/leeway\n"
    assert published.text().splitlines()[-1] == f"ghcr.io/a/charts/leeway@{TWO}"
