"""`leeway-dashboards`: writes the dashboards, asks a running Prometheus for all they show, and draws them."""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from leeway_dashboards.boards import BOARDS, CONDITIONAL
from leeway_dashboards.drawing.page import draw
from leeway_dashboards.drawing.panels import Answers
from leeway_dashboards.live import Gap, Get, PrometheusError, Span, Values, ask, choices, connect, gaps
from leeway_dashboards.queries import Dashboard, QueryError, of_panel, queries, variables


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, by default that of the process; 0, or 1 where something is missing."""
    parser = argparse.ArgumentParser(prog="leeway-dashboards", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write each dashboard as JSON")
    write.add_argument("directory", type=Path, help="where to; other JSON files in it are removed")
    write.set_defaults(run=_write)
    check = commands.add_parser("check", help="name every query that finds no data in a running Prometheus")
    _where(check)
    check.set_defaults(run=_check)
    pictures = commands.add_parser("draw", help="write a picture of each dashboard, as PNG")
    _where(pictures)
    pictures.add_argument("directory", type=Path, help="where to")
    pictures.add_argument("--only", help="uid of the one dashboard to draw")
    pictures.add_argument("--ago", type=float, default=0, help="minutes before now at which the time range ends")
    pictures.set_defaults(run=_draw)
    chosen = parser.parse_args(arguments)
    try:
        found: int = chosen.run(chosen)
    except (PrometheusError, QueryError) as error:
        sys.stderr.write(f"leeway-dashboards: {error}\n")
        return 1
    return found


def _where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prometheus", help="URL, or namespace/service:port in the cluster that kubectl reaches")
    parser.add_argument("--hours", type=float, default=6, help="how far back to look (default 6)")
    parser.add_argument("--namespace", help="take this namespace alone")
    parser.add_argument("--model", help="take this model alone")


def _write(arguments: argparse.Namespace) -> int:
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    files = rendered()
    for stale in {path.name for path in directory.glob("*.json")} - set(files):
        (directory / stale).unlink()
    for name, text in files.items():
        (directory / name).write_text(text)
    sys.stdout.write(f"{len(files)} dashboards in {directory}\n")
    return 0


def rendered() -> dict[str, str]:
    """File name → JSON of each dashboard, with sorted keys, so that a change shows as a small difference."""
    built = [build() for build in BOARDS]
    return {
        f"{board.uid}.json": json.dumps(board, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        for board in built
    }


def boards() -> list[Dashboard]:
    """The dashboards as Grafana reads them."""
    return [json.loads(text) for text in rendered().values()]


def _check(arguments: argparse.Namespace) -> int:
    missing = asked = 0
    with _reached(arguments.prometheus) as url, httpx.Client(base_url=f"{url}/", timeout=60) as client:
        for board in boards():
            found = gaps(connect(client), board, _span(arguments.hours), _given(arguments))
            number = len(queries(board))
            sys.stdout.write(f"{board['uid']:<18} {number - len(found)} of {number} queries give data\n")
            for gap in found:
                sys.stdout.write(f"  {gap.query.panel}, query {gap.query.ref}: {_told(gap)}\n    {gap.asked}\n")
            missing, asked = missing + sum(not _expected(gap) for gap in found), asked + number
    sys.stdout.write(f"{asked} queries, {missing} of them without the data that they ought to give\n")
    return int(missing > 0)


def _expected(gap: Gap) -> bool:
    return gap.empty and gap.query.panel in CONDITIONAL


def _told(gap: Gap) -> str:
    return f"no data, which is right unless {CONDITIONAL[gap.query.panel]}" if _expected(gap) else gap.reason


def _draw(arguments: argparse.Namespace) -> int:
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    span = _span(arguments.hours, arguments.ago)
    with _reached(arguments.prometheus) as url, httpx.Client(base_url=f"{url}/", timeout=60) as client:
        get = connect(client)
        for board in boards():
            if arguments.only in (None, board["uid"]):
                # A dashboard of many models shows them all.
                given = {} if all(one.several for one in variables(board)) else _given(arguments)
                values = next(choices(get, board, span, given))
                path = directory / f"{board['uid']}.png"
                draw(board, partial(_answers, get, board, values, span), values, span, path)
                sys.stdout.write(f"{path}\n")
    return 0


def _answers(get: Get, board: Dashboard, values: Values, span: Span, panel: Mapping[str, Any]) -> Answers:
    return [(query, ask(get, query, values, span)) for query in of_panel(board["uid"], panel)]


def _span(hours: float, ago: float = 0) -> Span:
    end = time.time() - 60 * ago
    return Span(end - 3600 * hours, end)


def _given(arguments: argparse.Namespace) -> Mapping[str, Sequence[str]]:
    given = {"namespace": arguments.namespace, "model": arguments.model}
    return {name: [value] for name, value in given.items() if value}


@contextmanager
def _reached(where: str) -> Iterator[str]:
    """URL of the Prometheus, with a tunnel to it for as long as it is needed."""
    service = re.fullmatch(r"([a-z0-9-]+)/([a-z0-9-]+):(\d+)", where)
    if service is None:
        yield where.rstrip("/")
        return
    namespace, name, port = service.groups()
    command = ["kubectl", "--namespace", namespace, "port-forward", f"service/{name}", f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tunnel:
        try:
            line = tunnel.stdout.readline() if tunnel.stdout is not None else ""
            opened = re.match(r"Forwarding from (127\.0\.0\.1:\d+)", line)
            if opened is None:
                raise PrometheusError(f"kubectl opened no tunnel to {where}; its words stand above")
            yield f"http://{opened[1]}"
        finally:
            tunnel.terminate()


if __name__ == "__main__":
    sys.exit(main())
