"""``leeway-drift profile``: a drift profile, and its report, from any table."""

import argparse
import json
import sys
from pathlib import Path


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``profile`` to the command."""
    parser = commands.add_parser(
        "profile",
        help="build a drift profile from a table",
        description="Builds the drift profile of a reference table, with thresholds calibrated on its own windows in "
        "the order of time. Columns of strings are categories, all others have to be numbers.",
    )
    parser.add_argument("reference", type=Path, help="Parquet file, or CSV with a header")
    parser.add_argument("--time", metavar="COLUMN", help="timestamps; without them nothing can be calibrated")
    for option, what in (
        ("--categorical", "columns of numbers that are codes"),
        ("--context", "columns that are told but not monitored: calendar fields, ids"),
        ("--outputs", "columns that are the model's answers"),
        ("--ignore", "columns that are left out"),
    ):
        parser.add_argument(option, type=_names, default=(), metavar="A,B", help=what)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the profile, as JSON")
    parser.add_argument("--report", type=Path, metavar="FILE", help="what it can and cannot see, as HTML for people")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build the profile; 0, or 2 with the reason on standard error."""
    # Only now: the command's other half, the service, is installed without Arrow.
    from leeway_drift.profile import Profile, ProfileError, build_profile  # noqa: PLC0415
    from leeway_drift.report.render import render  # noqa: PLC0415
    from leeway_drift.report.replay import replay  # noqa: PLC0415
    from leeway_drift.report.tables import TableError, read_reference  # noqa: PLC0415

    steps = 3 if options.report else 2
    try:
        _say(f"1/{steps} read {options.reference}")
        reference = read_reference(
            options.reference,
            time=options.time,
            categorical=options.categorical,
            outputs=options.outputs,
            ignore=options.ignore,
        )
        rows = len(next(iter(reference.features.values()), ()))
        _say(f"2/{steps} profile {rows:,} rows of {len(reference.features)} features")
        document = build_profile(
            reference.features,
            categorical=reference.categorical,
            outputs=reference.outputs,
            time=reference.time,
            context=options.context,
        )
    except (TableError, ProfileError) as error:
        sys.stderr.write(f"leeway-drift profile: {error}\n")
        return 2
    profile = Profile.parse(document)
    options.output.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if options.report:
        _say(f"3/{steps} replay the windows of the reference")
        closed, series = replay(reference, profile)
        page = render(options.reference.name, reference, document, profile, closed=closed, series=series)
        options.report.write_text(page, encoding="utf-8")
    state = (
        f"calibrated on {profile.method}, {profile.target_false_alarms_per_30_days:g} false alarms in 30 days aimed at"
        if profile.calibrated
        else "UNCALIBRATED: no time column, or too few windows; what it raises is information only"
    )
    _say(f"{options.output}: {state}")
    if options.report:
        _say(f"{options.report}: the report")
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
