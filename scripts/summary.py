"""Counts of every test run since the last start of `make test`, from the reports in the folder given.

Prints one line per run and the sum; exits 1 if a test failed or was skipped, since a skipped test proves nothing.
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main() -> int:
    """Print the counts of all reports and return the exit code."""
    passed, failed, skipped = 0, 0, 0
    for report in sorted(Path(sys.argv[1]).glob("*.xml")):
        suite = ET.parse(report).getroot()[0]  # noqa: S314 - written by our own pytest a moment ago
        total, left_out = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
        broken = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
        print(f"{report.stem:<16} {total - broken - left_out:4d} passed  {float(suite.attrib['time']):6.0f} s")
        for case in suite.iter("testcase"):
            if (why := case.find("skipped")) is not None:
                print(f"  skipped: {case.attrib['classname']}::{case.attrib['name']}: {why.attrib.get('message')}")
        passed, failed, skipped = passed + total - broken - left_out, failed + broken, skipped + left_out
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or skipped or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
