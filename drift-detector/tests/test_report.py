import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from leeway_drift import command
from tests.pages_document import HOSTILE

START = datetime(2024, 1, 1, tzinfo=UTC)


def table(rows: int, *, minutes: int = 30, category: str = "AA") -> pa.Table:
    """Ordinary numbers, a category, an id and the model's answer; a row every ``minutes``, last first."""
    number = np.arange(rows)[::-1]
    spread = number * 7919 % 601 / 60
    return pa.table({
        "when": pa.array([START + timedelta(minutes=minutes * int(row)) for row in number], pa.timestamp("s", "UTC")),
        "speed": pa.array([None if row % 97 == 0 else float(value) for row, value in zip(number, spread, strict=True)]),
        "carrier": pa.array([[category, "B6", "UA"][row % 3] for row in number]),
        "id": pa.array(number.astype(np.int64)),
        "late": pa.array(spread / 10.1),
    })  # fmt: skip


def profile(folder: Path, rows: pa.Table, *options: str, name: str = "reference.parquet") -> tuple[int, str]:
    """Run ``leeway-drift profile``; its exit code and the report."""
    file = folder / name
    if file.suffix == ".parquet":
        pa.parquet.write_table(rows, file)
    else:
        pa.csv.write_csv(rows, file)
    report = folder / "report.html"
    with pytest.raises(SystemExit) as ended:
        command.main([
            "profile", str(file), "--outputs", "late", "--ignore", "id" if "--time" in options else "id,when",
            "--output", str(folder / "profile.json"), "--report", str(report), *options,
        ])  # fmt: skip
    return int(ended.value.code or 0), report.read_text(encoding="utf-8") if report.exists() else ""


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_table_with_times_gets_calibrated_thresholds_and_a_report_of_its_windows(tmp_path: Path):
    code, report = profile(tmp_path, table(15_000, minutes=5), "--time", "when")

    document = json.loads((tmp_path / "profile.json").read_text())
    assert code == 0
    assert document["calibration"]["method"] == "time-blocks"
    assert set(document["features"]) == {"speed", "carrier"}
    assert set(document["outputs"]) == {"late"}
    assert "Uncalibrated" not in report
    assert 'aria-label="Score over threshold of slow/training' in report


@pytest.mark.parametrize("options", [(), ("--time", "when")], ids=["no time", "too few windows"])
def test_what_cannot_be_calibrated_is_called_so_plainly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Sequence[str]
):
    code, report = profile(tmp_path, table(300), *options)

    assert code == 0
    assert "<strong>Uncalibrated.</strong>" in report
    assert "UNCALIBRATED" in capsys.readouterr().out


def test_csv_and_parquet_of_the_same_rows_give_the_same_profile(tmp_path: Path):
    rows = table(3000)

    profile(tmp_path, rows, "--time", "when")
    of_parquet = (tmp_path / "profile.json").read_bytes()
    profile(tmp_path, rows, "--time", "when", name="reference.csv")

    assert (tmp_path / "profile.json").read_bytes() == of_parquet


def test_the_report_is_one_file_that_fetches_and_runs_nothing(tmp_path: Path):
    _, report = profile(tmp_path, table(600, category=HOSTILE))

    tags = Tags(report).found
    assert {tag for tag, _ in tags}.isdisjoint({"script", "img", "link", "iframe", "object"})
    names = {name for _, attributes in tags for name in attributes}
    assert names.isdisjoint({"src", "href", "style"})
    assert not any(name.startswith("on") for name in names)
    policy = next(attributes["content"] for tag, attributes in tags if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")


def test_every_picture_has_words_for_those_who_do_not_see_it(tmp_path: Path):
    _, report = profile(tmp_path, table(600))

    pictures = [attributes for tag, attributes in Tags(report).found if tag == "svg"]
    assert len(pictures) >= 3
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--time", "date"), "no column date; there are when, speed"),
        (("--time", "carrier"), "time column carrier: type string, expected timestamps"),
        (("--time", "speed"), "time column speed: 4 rows have none"),
        ((), "column when: type timestamp[ms, tz=UTC], expected numbers or strings (leave it out with --ignore when)"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Sequence[str], message: str
):
    file = tmp_path / "reference.parquet"
    pa.parquet.write_table(table(300), file)

    with pytest.raises(SystemExit) as ended:
        command.main(["profile", str(file), "--output", str(tmp_path / "profile.json"), *options])

    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "profile.json").exists()


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", b"\xff\xfe\x00"])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, suffix: str
):
    file = tmp_path / f"reference.{suffix}"
    file.write_bytes(content)

    with pytest.raises(SystemExit) as ended:
        command.main(["profile", str(file), "--output", str(tmp_path / "profile.json")])

    assert ended.value.code == 2
    assert str(file) in capsys.readouterr().err
