"""The command `leeway-serve`."""

import argparse
import logging
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import uvloop

from leeway_serving import logs
from leeway_serving.bundle import VERSION
from leeway_serving.capture import settings as capture_settings
from leeway_serving.environment import SettingsError
from leeway_serving.http import Limits
from leeway_serving.loading import Told
from leeway_serving.server import Settings, serve
from leeway_serving.tracing import settings as tracing_settings

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_log = logging.getLogger(__name__)


class UsageError(ValueError):
    """The command line or the environment is not what was expected; the message says what, and is for the log."""


class _Parser(argparse.ArgumentParser):
    """One whose refusal is a log line like any other, and no page of text."""

    def error(self, message: str) -> NoReturn:
        """Raises `UsageError`."""
        raise UsageError(message)


def settings_from(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Reads the command line and the environment.

    Raises:
        UsageError: saying what was expected, when something is wrong or missing.
    """
    limits = Limits()
    parser = _Parser(
        prog="leeway-serve",
        description="Serves one ONNX model over the Open Inference Protocol.",
        epilog="LEEWAY_BUNDLE_DIGEST and LEEWAY_MODEL_VERSION, when set, say what the model directory has to hold; "
        "anything else is never served. LEEWAY_CAPTURE_URL, LEEWAY_CAPTURE_SAMPLE, LEEWAY_NAMESPACE and "
        "LEEWAY_INFERENCESERVICE say where and in whose name inferences are sent to the drift detector. "
        "LEEWAY_TRACING_ENDPOINT and LEEWAY_TRACING_SAMPLE_RATIO say where traces go, and of how many requests. "
        "LEEWAY_LOG_LEVEL is debug, info, warning or error; at debug each request is a line, without what it holds.",
    )
    parser.add_argument("--model-name", required=True, metavar="NAME", help="what clients call the model")
    parser.add_argument("--model-dir", required=True, type=Path, metavar="DIR", help="a bundle, or one *.onnx file")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104
    parser.add_argument("--http-port", type=int, default=8080, metavar="PORT", help="inference (default: %(default)s)")
    parser.add_argument("--metrics-port", type=int, default=8082, metavar="PORT", help="metrics (default: %(default)s)")
    parser.add_argument(
        "--max-body-bytes",
        type=int,
        default=limits.body_bytes,
        metavar="N",
        help="of one request; 413 above (default: %(default)s)",
    )
    parser.add_argument(
        "--max-rows",
        type=int,
        default=limits.rows,
        metavar="N",
        help="of one request; 413 above (default: %(default)s)",
    )
    parser.add_argument(
        "--max-in-flight",
        type=int,
        default=limits.in_flight,
        metavar="N",
        help="requests at one time; 429 above (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    told = Told(environment.get("LEEWAY_MODEL_VERSION") or None, environment.get("LEEWAY_BUNDLE_DIGEST") or None)
    if not _NAME.fullmatch(options.model_name):
        parser.error(f"--model-name {options.model_name!r} does not match {_NAME.pattern}")
    if told.version is not None and not VERSION.fullmatch(told.version):
        parser.error(f"LEEWAY_MODEL_VERSION {told.version!r} does not match {VERSION.pattern}")
    if told.digest is not None and not _DIGEST.fullmatch(told.digest):
        parser.error(f"LEEWAY_BUNDLE_DIGEST {told.digest!r} does not match {_DIGEST.pattern}")
    for limit in ("max_body_bytes", "max_rows", "max_in_flight"):
        if getattr(options, limit) < 1:
            parser.error(f"--{limit.replace('_', '-')} {getattr(options, limit)}: at least 1 was expected")
    try:
        capture = capture_settings.settings_from(environment)
        tracing = tracing_settings.settings_from(environment)
    except SettingsError as error:
        parser.error(str(error))
    return Settings(
        model_name=options.model_name,
        model_dir=options.model_dir,
        host=options.host,
        http_port=options.http_port,
        metrics_port=options.metrics_port,
        told=told,
        capture=capture,
        tracing=tracing,
        limits=Limits(
            body_bytes=options.max_body_bytes,
            rows=options.max_rows,
            in_flight=options.max_in_flight,
            buffered_bytes=max(Limits.buffered_bytes, options.max_body_bytes),
        ),
    )


def main() -> int:
    """Runs the server; 0 after a drained stop, 1 when a port is taken, 2 for a wrong command line."""
    started = time.perf_counter()
    logs.configure()
    try:
        level = logs.level_from(os.environ)
        settings = settings_from(sys.argv[1:], os.environ)
    except (logs.LevelError, UsageError) as error:
        _log.critical("cannot start", extra={"error": str(error)})
        return 2
    known = {
        "namespace": os.environ.get("POD_NAMESPACE"),
        "model": settings.model_name,
        "version": settings.told.version,
    }
    logs.configure(level, {name: value for name, value in known.items() if value})
    try:
        uvloop.run(serve(settings, started=started))
    except OSError as error:
        _log.critical("cannot listen", extra={"error": str(error)})
        return 1
    return 0
