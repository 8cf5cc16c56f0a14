"""`leeway-verify`: the proof on a real cluster."""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

import kubernetes.client
import kubernetes.config
import urllib3

from leeway_operators.cli.main import say
from leeway_operators.shell.source import SourceError
from leeway_operators.verify.core import report
from leeway_operators.verify.core.drive import Followed
from leeway_operators.verify.core.finding import Finding
from leeway_operators.verify.shell.cluster import RefusedError
from leeway_operators.verify.shell.session import EndedError, connect

_GAPS, _FAILED = 1, 2
# Between two looks: about a scrape.
_PAUSE = 10.0
_EXITS = """\
exit codes: 0 nothing is missing; 1 something is; 2 it could not be looked at"""


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
    parser.add_argument(
        "--inject",
        action="append",
        metavar="ALERT",
        help="also inject the fault that this alert is for, follow it to its message, and undo it; `all` for each; "
        "it disturbs what is running",
    )
    parser.add_argument(
        "--inbox-url",
        help="where a stub in the place of Slack lists the messages it took (default: what Alertmanager routes)",
    )
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Look, inject what was asked for, print what was found, and exit with 1 at any gap."""
    options = arguments().parse_args(argv)
    # Ended from outside, a fault is undone as it is after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    outcomes: list[Followed] = []
    try:
        session = connect(options.namespace, options.release, options.context, options.prometheus_url)
        findings = patient(session.look, options.patience, _tell, monotonic=time.monotonic, sleep=time.sleep)
        if options.inject:
            outcomes = session.inject(options.inject, options.inbox_url, _tell)
    except kubernetes.config.ConfigException as error:
        _end(f"kubeconfig: {error}")
    except kubernetes.client.ApiException as error:
        _end(f"the API server answered {error.status} {error.reason}")
    except urllib3.exceptions.HTTPError as error:
        _end(f"the API server cannot be reached: {error}")
    except (EndedError, RefusedError, SourceError, ValueError) as error:
        _end(str(error))
    except KeyboardInterrupt:
        _end("ended before the end; what was injected is undone")
    if options.output == "json":
        say(report.document(findings, outcomes))
    else:
        say("\n\n".join([report.table(findings), *([report.followed(outcomes)] if outcomes else [])]))
    sys.exit(_GAPS if _missing(findings) or any(one.gap for one in outcomes) else 0)


def patient(
    look: Callable[[], list[Finding]],
    seconds: float,
    tell: Callable[[str], None],
    *,
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[Finding]:
    """What `look` finds, or finds again within some seconds, as soon as there is no gap.

    `tell` hears what is waited for.
    """
    end = monotonic() + seconds
    findings = look()
    while (gaps := _missing(findings)) and monotonic() + _PAUSE <= end:
        left = end - monotonic()
        tell(f"{len(gaps)} missing, as {gaps[0].what} ({gaps[0].why}); looking again for {left:.0f} s at most")
        sleep(_PAUSE)
        findings = look()
    return findings


def _missing(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.verdict == "missing"]


def _tell(line: str) -> None:
    """How it goes, beside the table on standard output."""
    sys.stderr.write(f"{line}\n")


def _end(reason: str) -> NoReturn:
    sys.stderr.write(f"{reason}\n")
    sys.exit(_FAILED)
