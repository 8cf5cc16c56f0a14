"""`kubectl leeway`: a kubectl plugin, found by its name on PATH."""

import argparse
import io
import os
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import kubernetes.client
import kubernetes.config
import urllib3

from leeway_operators.cli import ask, status, why
from leeway_operators.cli.cluster import KubernetesCluster, namespace_of
from leeway_operators.cli.session import FAILED, EndedError, Session

_EXITS = """\
exit codes: 0 done; 1 it could not be done; 2 the command line is wrong; 3 refused, since it makes no sense now;
4 the operator did not answer in time"""


def arguments() -> argparse.ArgumentParser:
    """The command line: one subcommand per verb."""
    where = argparse.ArgumentParser(add_help=False)
    spaces = where.add_mutually_exclusive_group()
    spaces.add_argument("-n", "--namespace", help="default: the context's")
    spaces.add_argument("-A", "--all-namespaces", action="store_true")
    parser = argparse.ArgumentParser(
        prog="kubectl leeway",
        description="Looks after ModelRollouts.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--context", help="the kubeconfig's context (default: the current one)")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for group in (status, why, ask):
        group.add(verbs, where)
    return parser


def run(options: argparse.Namespace, session: Session) -> int:
    """Carry out one verb; the exit code."""
    try:
        options.run(options, session)
    except EndedError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    except kubernetes.client.ApiException as error:
        sys.stderr.write(f"the API server answered {error.status} {error.reason}\n")
        return FAILED
    except urllib3.exceptions.HTTPError as error:
        sys.stderr.write(f"the API server cannot be reached: {error}\n")
        return FAILED
    return 0


def say(line: str) -> None:
    """Print a line; end without a word once whoever reads (`| head`) has seen enough."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer goes nowhere when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb on the cluster of the kubeconfig."""
    options = arguments().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without box drawing shows question marks
    try:
        client = kubernetes.config.new_client_from_config(context=options.context)
        everywhere = None if options.all_namespaces else options.namespace or namespace_of(options.context)
    except kubernetes.config.ConfigException as error:
        sys.stderr.write(f"kubeconfig: {error}\n")
        sys.exit(FAILED)
    session = Session(
        cluster=KubernetesCluster(client),
        namespace=everywhere,
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        say=say,
        identity=lambda: str(uuid.uuid4()),
    )
    sys.exit(run(options, session))
