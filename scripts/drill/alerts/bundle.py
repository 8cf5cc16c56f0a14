"""The flights model with windows of seconds: drift that serving sees after days is seen within a minute."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

_SECONDS = 10
_PROFILE, _REFERENCE, _MANIFEST = "drift-profile.json", "drift-reference.npz", "manifest.json"


def with_short_windows(bundle: Path) -> Path:
    """Return a copy of a bundle whose drift profile has windows of at least ten seconds in the place of a day.

    Their rows, and the thresholds that were learned with them, stay. The sample of raw rows is left out: Alibi-Detect
    would judge a window of each drill every ten seconds by it, which takes longer than that on a small machine.

    Args:
        bundle: of `demo.train`; the copy is made once, beside it.
    """
    copy = bundle.with_name(f"short-windows-{bundle.name}")
    if not copy.exists():
        for stale in bundle.parent.glob("short-windows-*"):
            shutil.rmtree(stale)
        with tempfile.TemporaryDirectory(dir=bundle.parent) as folder:
            fresh = Path(folder) / copy.name
            shutil.copytree(bundle, fresh, ignore=shutil.ignore_patterns(_REFERENCE))
            _write(fresh / _PROFILE, shortened(json.loads((bundle / _PROFILE).read_text(encoding="utf-8"))))
            manifest = json.loads((bundle / _MANIFEST).read_text(encoding="utf-8"))
            profile = (fresh / _PROFILE).read_bytes()
            _write(fresh / _MANIFEST, named(manifest, profile))
            fresh.rename(copy)
    return copy


def shortened(profile: dict[str, Any]) -> dict[str, Any]:
    """Return a drift profile with windows of as many rows, and of seconds in the place of a day."""
    return {**profile, "window": {**profile["window"], "seconds": _SECONDS}}


def named(manifest: dict[str, Any], profile: bytes) -> dict[str, Any]:
    """Return the manifest of a bundle with this drift profile and without raw rows."""
    files = {name: file for name, file in manifest["files"].items() if name != _REFERENCE}
    files[_PROFILE] = {"sha256": hashlib.sha256(profile).hexdigest(), "bytes": len(profile)}
    return {**manifest, "files": files}


def _write(file: Path, document: dict[str, Any]) -> None:
    file.write_text(json.dumps(document, sort_keys=True, allow_nan=False, ensure_ascii=False), encoding="utf-8")
