"""`kubectl leeway`: a kubectl plugin, found by its name on PATH."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import kubernetes.client
import kubernetes.config

from leeway_operators.cli.table import row, table

_GROUP, _VERSION, _PLURAL = "leeway.dev", "v1alpha1", "modelrollouts"


def arguments() -> argparse.ArgumentParser:
    """The command line: one subcommand per verb."""
    parser = argparse.ArgumentParser(prog="kubectl leeway", description="Looks after ModelRollouts.")
    parser.add_argument("--context", help="the kubeconfig's context (default: the current one)")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    status = verbs.add_parser("status", help="what serves, what comes up, and what is wrong")
    status.add_argument("name", nargs="?", help="one model (default: all)")
    where = status.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", help="default: the context's")
    where.add_argument("-A", "--all-namespaces", action="store_true")
    status.set_defaults(run=_status)
    return parser


def _namespace(context: str | None) -> str:
    contexts, current = kubernetes.config.list_kube_config_contexts()
    chosen = next((item for item in contexts if item["name"] == context), current)
    return str(chosen["context"].get("namespace", "default"))


def _status(options: argparse.Namespace, client: kubernetes.client.ApiClient) -> str:
    objects = kubernetes.client.CustomObjectsApi(client)
    listed: Any
    if options.all_namespaces:
        listed = objects.list_cluster_custom_object(_GROUP, _VERSION, _PLURAL)
    else:
        namespace = options.namespace or _namespace(options.context)
        listed = objects.list_namespaced_custom_object(_GROUP, _VERSION, namespace, _PLURAL)
    found = [item for item in listed["items"] if options.name in (None, item["metadata"]["name"])]
    if not found:
        raise SystemExit(f"no ModelRollout{f' named {options.name}' if options.name else ''} found")
    return table(map(row, found), namespaces=options.all_namespaces)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb; exit 1 with one sentence if it cannot be done."""
    options = arguments().parse_args(argv)
    try:
        client = kubernetes.config.new_client_from_config(context=options.context)
        sys.stdout.write(options.run(options, client) + "\n")
    except kubernetes.config.ConfigException as error:
        raise SystemExit(f"kubeconfig: {error}") from error
    except kubernetes.client.ApiException as error:
        raise SystemExit(f"the API server answered {error.status} {error.reason}") from error
