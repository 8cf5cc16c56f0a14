"""Looks for secrets in everything that was ever committed."""

import json
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cluster import paths
from cluster.shell import CommandFailedError, run

CONFIG = Path(__file__).with_name("gitleaks.toml")
# gitleaks' own code for "there are some", so that any other failure is told apart.
_FOUND = "99"


def secrets(gitleaks: Path, repository: Path = paths.REPOSITORY, *, report: Path) -> list[str]:
    """Return where in the history of `repository` secrets lie, one line each, never the secret itself.

    Args:
        gitleaks: the program.
        repository: with its whole history; a shallow clone is refused.
        report: where gitleaks writes its findings, as JSON.

    Raises:
        CommandFailedError: gitleaks could not read the repository.
        ValueError: the clone is shallow: of what was cut off nothing would be known.
    """
    if run(["git", "rev-parse", "--is-shallow-repository"], cwd=repository).strip() != "false":
        raise ValueError(f"{repository}: expected the whole history (git fetch --unshallow)")
    report.parent.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        gitleaks, "git", "--no-banner", "--redact", "--exit-code", _FOUND, "--config", CONFIG,
        "--report-format", "json", "--report-path", report, repository,
    ]  # fmt: skip
    try:
        run(command)
    except CommandFailedError as error:
        if f"ended with {_FOUND}" not in str(error):
            raise
    findings = json.loads(report.read_text(encoding="utf-8"))
    return [f"{found['Commit'][:10]} {found['File']}:{found['StartLine']}: {found['RuleID']}" for found in findings]


def is_found(gitleaks: Path) -> bool:
    """Tell whether a secret that was committed and removed again is found: if not, finding none proves nothing.

    Raises:
        CommandFailedError: git or gitleaks failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        repository, file = Path(folder) / "repository", Path(folder) / "repository/id"
        git: list[str | Path] = [
            "git",
            "-C",
            repository,
            "-c",
            "user.name=trial",
            "-c",
            "user.email=trial@leeway.invalid",
        ]
        run(["git", "init", "--quiet", repository])
        key = Ed25519PrivateKey.generate()
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        run([*git, "add", "id"])
        run([*git, "commit", "--quiet", "--message", "add"])
        run([*git, "rm", "--quiet", "id"])
        run([*git, "commit", "--quiet", "--message", "remove"])
        return bool(secrets(gitleaks, repository, report=Path(folder) / "report.json"))
