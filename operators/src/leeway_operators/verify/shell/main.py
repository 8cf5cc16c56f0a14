"""`leeway-verify`: the proof on a real cluster."""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import kubernetes.client
import kubernetes.config
import urllib3

from leeway_operators.cli.cluster import namespace_of
from leeway_operators.cli.main import say
from leeway_operators.shell.source import SourceError
from leeway_operators.verify.core import report
from leeway_operators.verify.core.finding import Finding
from leeway_operators.verify.core.proof import prove
from leeway_operators.verify.shell.cluster import Cluster, RefusedError
from leeway_operators.verify.shell.prometheus import Ask, Direct, HttpPrometheus
from leeway_operators.verify.shell.proxy import Proxied, service_path

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_GAPS, _FAILED = 1, 2
# Between two looks: about a scrape.
_PAUSE = 10.0
_EXITS = """\
exit codes: 0 nothing is missing; 1 something is; 2 it could not be looked at"""


class EndedError(Exception):
    """There is nothing to look at; the text says why."""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="leeway-verify",
        description="Proves that every metric, label and selector in use by rules, dashboards and gates is there.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-n", "--namespace", help="of the release (default: the pod's own, or the context's)")
    parser.add_argument("--release", help="only objects of this release (default: every one in the namespace)")
    parser.add_argument("--context", help="the kubeconfig's context (default: the current one)")
    parser.add_argument(
        "--prometheus-url",
        help="the Prometheus that scrapes the release (default: the one that its operator asks); "
        "NAME.NAMESPACE.svc is reached through the API server from outside the cluster",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="look again for that long while something is missing: after an installation scrapes and rules come up",
    )
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Look, print what was found, and exit with 1 at any gap."""
    options = arguments().parse_args(argv)
    try:
        findings = patient(lambda: look(options), options.patience, monotonic=time.monotonic, sleep=time.sleep)
    except kubernetes.config.ConfigException as error:
        _end(f"kubeconfig: {error}")
    except kubernetes.client.ApiException as error:
        _end(f"the API server answered {error.status} {error.reason}")
    except urllib3.exceptions.HTTPError as error:
        _end(f"the API server cannot be reached: {error}")
    except (EndedError, RefusedError, SourceError, ValueError) as error:
        _end(str(error))
    say(report.document(findings) if options.output == "json" else report.table(findings))
    sys.exit(_GAPS if _gap(findings) else 0)


def patient(
    look: Callable[[], list[Finding]],
    seconds: float,
    *,
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[Finding]:
    """What `look` finds, or finds again within some seconds, as soon as there is no gap."""
    end = monotonic() + seconds
    findings = look()
    while _gap(findings) and monotonic() + _PAUSE <= end:
        sleep(_PAUSE)
        findings = look()
    return findings


def _gap(findings: Iterable[Finding]) -> bool:
    return any(finding.verdict == "missing" for finding in findings)


def look(options: argparse.Namespace) -> list[Finding]:
    """What is there and what is not.

    Raises:
        EndedError: nothing says which Prometheus scrapes the release.
        RefusedError: the operator's Deployment may not be read, and no address was given.
        SourceError: Prometheus gave no answer.
        kubernetes.client.ApiException: the API server gave none.
        ValueError: the address is no http(s) URL.
    """
    inside = options.context is None and (_ACCOUNT / "token").exists()
    client = _inside() if inside else kubernetes.config.new_client_from_config(context=options.context)
    own = (_ACCOUNT / "namespace").read_text().strip() if inside else namespace_of(options.context)
    namespace = options.namespace or own
    selector = "app.kubernetes.io/part-of=leeway"
    if options.release:
        selector += f",app.kubernetes.io/instance={options.release}"
    cluster = Cluster(client)
    url = options.prometheus_url or cluster.prometheus_url(namespace, selector)
    if url is None:
        raise EndedError(
            f"no operator in namespace {namespace} was told of a Prometheus (operator.prometheus.url): "
            "name the one that scrapes the release with --prometheus-url"
        )
    ask = Direct() if inside else _way(cluster, given=options.prometheus_url)
    return prove(cluster.inventory(namespace, selector), HttpPrometheus(url, ask))


def _way(cluster: Cluster, *, given: str | None) -> Ask:
    """From outside: names and addresses of the cluster through the API server, a given address as it is given."""
    straight, around = Direct(), Proxied(cluster)

    def ask(base: str, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        through = service_path(base) is not None or base != given
        return (around if through else straight)(base, path, parameters)

    return ask


def _inside() -> kubernetes.client.ApiClient:
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_incluster_config(configuration)
    return kubernetes.client.ApiClient(configuration)


def _end(reason: str) -> NoReturn:
    sys.stderr.write(f"{reason}\n")
    sys.exit(_FAILED)
