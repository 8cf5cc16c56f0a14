"""The worker process: reads frames from stdin, answers each on stdout, ends with stdin.

It knows no file, no network and no clock; its log is lines on stderr, and what libraries print goes nowhere.
"""

import logging
import os
import sys
from collections import OrderedDict
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from leeway_alibi.methods import Thresholds
from leeway_alibi.table import Feature, Table
from leeway_alibi.version import Version
from leeway_drift.service.alibi_protocol import (
    PREFIX_BYTES,
    FrameError,
    decode,
    encode,
    judgement_to_json,
    lengths,
)
from leeway_drift.service.logs import configure

VERSIONS = 8
"""Versions held at most; the one that was silent longest makes room and is loaded again if need be."""

Arrays = dict[str, npt.NDArray[Any]]


class Worker:
    """Answers ``load`` and ``judge``."""

    def __init__(self) -> None:
        self._versions: OrderedDict[str, tuple[tuple[Feature, ...], Version]] = OrderedDict()

    def answer(self, header: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
        """The answer's header; ``{"error": …}`` for what cannot be done, ``{"unknown": true}`` before a load."""
        try:
            match header.get("op"):
                case "load":
                    return self._load(header, arrays)
                case "judge":
                    return self._judge(header, arrays)
                case other:
                    return {"error": f"op {other!r}, expected load or judge"}
        except (KeyError, TypeError, ValueError) as error:
            # A fault in what was sent, or Alibi-Detect's refusal of it: the next window may be judged again.
            return {"error": f"{type(error).__name__}: {error}"}

    def _load(self, header: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
        features = tuple(Feature(name, categories) for name, categories in header["features"])
        reference = Table.of(features, arrays["numbers"], arrays["codes"])
        block = arrays.get("block")
        if block is not None and (block.shape != (len(reference),) or (np.diff(block) < 0).any()):
            raise ValueError(f"block {block.shape}, expected ({len(reference)},) in ascending order")
        version = Version(
            reference,
            block,
            tabular=Thresholds.of_document(header["tabular"]),
            rate=float(header["rate"]),
            taught=header["taught"],
        )
        self._versions[header["version"]] = (features, version)
        while len(self._versions) > VERSIONS:
            self._versions.popitem(last=False)
        return {"loaded": len(reference), "taught": version.taught}

    def _judge(self, header: dict[str, Any], arrays: Arrays) -> dict[str, Any]:
        key = header["version"]
        if key not in self._versions:
            return {"unknown": True}
        self._versions.move_to_end(key)
        features, version = self._versions[key]
        window = Table.of(features, arrays["numbers"], arrays["codes"])
        judgements = version.judge(window, rows=int(header["rows"]), comparable=bool(header["comparable"]))
        return {"judgements": [judgement_to_json(judgement) for judgement in judgements]}


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer frames until ``source`` ends.

    Raises:
        FrameError: what came is no frame; there is no telling where the next one begins.
    """
    worker = Worker()
    while prefix := source.read(PREFIX_BYTES):
        header_bytes, arrays_bytes = lengths(prefix)
        header, packed = source.read(header_bytes), source.read(arrays_bytes)
        if (len(header), len(packed)) != (header_bytes, arrays_bytes):
            raise FrameError("the end in the middle of a frame")
        target.write(encode(worker.answer(*decode(header, packed))))
        target.flush()


def main() -> None:
    """Serve on stdin and stdout."""
    configure(component="alibi-worker")
    logging.getLogger("alibi_detect").setLevel(logging.ERROR)  # it warns of options that are meant
    target = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What libraries print must become neither half a frame nor a line of the log, as it may be rows.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    serve(sys.stdin.buffer, target)
