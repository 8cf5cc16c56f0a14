"""The snapshot on disk: one file, written whole or not at all, with its checksum and version."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from leeway_drift.service.files import write_atomically
from leeway_drift.streaming.detector import Detector
from leeway_drift.streaming.snapshots import FindRules, MalformedSnapshot, restore, to_document

logger = logging.getLogger(__name__)

NAME = "snapshot.json"
VERSION = 2
_FORMAT = "leeway-drift-snapshot"


class SnapshotStore:
    """Writes a detector's state into a folder, and reads it back at the next start.

    Args:
        directory: that outlives the process; what is in it after a restart decides what is remembered.
        clock: seconds since the epoch.

    Attributes:
        saved: when the last one was written, None before the first.
    """

    def __init__(self, directory: Path, clock: Callable[[], float]) -> None:
        self._path = directory / NAME
        self._clock = clock
        self.saved: float | None = None

    def save(self, detector: Detector) -> None:
        """Write the state; a full or broken disk is logged, and what was saved before stays."""
        now = self._clock()
        payload = orjson.dumps(to_document(detector))
        header = {"format": _FORMAT, "version": VERSION, "sha256": hashlib.sha256(payload).hexdigest()}
        try:
            write_atomically(self._path, json.dumps(header).encode() + b"\n" + payload)
        except OSError as error:
            extra = {"error": str(error), "fields": {"path": str(self._path)}}
            logger.warning("the snapshot cannot be written", extra=extra)
            return
        self.saved = now

    def restore(self, detector: Detector, rules: FindRules) -> bool:
        """Read the state back; False if there is none, or none that can be used: that one is put aside."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return False
        try:
            restore(detector, _payload(content), rules)
        except MalformedSnapshot as error:
            aside = self._path.with_name(f"{NAME}.unusable")
            self._path.replace(aside)
            fields = {"path": str(self._path), "put_aside_as": str(aside)}
            extra = {"error": str(error), "fields": fields}
            logger.warning("the snapshot cannot be used; starting from nothing", extra=extra)
            return False
        logger.info("restored", extra={"fields": {"streams": len(detector.streams)}})
        return True


def _payload(content: bytes) -> Any:
    head, _, payload = content.partition(b"\n")
    try:
        header = orjson.loads(head)
    except ValueError as error:
        raise MalformedSnapshot("its first line is no header") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise MalformedSnapshot("its first line is no header of a snapshot")
    if header.get("version") != VERSION:
        raise MalformedSnapshot(f"its version is {header.get('version')!r:.40}, expected {VERSION}")
    if header.get("sha256") != hashlib.sha256(payload).hexdigest():
        raise MalformedSnapshot("its checksum is not that of its content")
    return orjson.loads(payload)
