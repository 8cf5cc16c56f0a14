"""The command, as its users call it."""

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from leeway_operators.simulate.main import run

STEPS = "[{weight: 10, hold: 1m}, {weight: 50}]"


def simulated(tmp_path: Path, *arguments: str, strategy: str = STEPS) -> tuple[int, str, str]:
    path = tmp_path / "strategy.yaml"
    path.write_text(strategy, encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    code = run(["--strategy", str(path), "--rps", "50", *arguments], out, err)
    return code, out.getvalue(), err.getvalue()


def test_a_bad_version_is_rolled_back_and_the_page_says_at_what_cost(tmp_path: Path) -> None:
    code, page, _ = simulated(
        tmp_path, "--error-rate-stable", "0.01", "--error-rate-candidate", "0.1", "--rollouts", "100"
    )
    assert code == 0
    assert "errors 1.0 % → 10.0 %" in page
    assert "rolled back    100 %   (96.4 % to 100 %)" in page
    assert "promoted         0 %   (0 % to 3.6 %)" in page
    assert "the candidate's requests until rollback" in page
    assert "the candidate's requests until promotion" not in page


def test_the_same_seed_prints_the_same_page_and_another_another(tmp_path: Path) -> None:
    arguments = ("--error-rate-stable", "0.01", "--error-rate-candidate", "0.04", "--rollouts", "20", "--seed")
    pages = [simulated(tmp_path, *arguments, seed)[1] for seed in ("1", "1", "2")]
    assert pages[0] == pages[1] != pages[2]


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    simulated(tmp_path, "--error-rate-stable", "0.01", "--rollouts", "50", "--plot", str(plot))
    root = ET.fromstring(plot.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    assert root.tag.endswith("svg")
    assert len(root.findall("{*}polygon")) == 3


def test_required_labels_need_to_be_said(tmp_path: Path) -> None:
    strategy = "{steps: [{weight: 50}], analysis: {gates: {labels: {required: true}}}}"
    code, page, error = simulated(tmp_path, "--error-rate-stable", "0.01", strategy=strategy)
    assert (code, page) == (2, "")
    assert error == "leeway-simulate: labels are required by the strategy: say how good stable is with --loss-stable\n"


@pytest.mark.parametrize("arguments", [["--error-rate-stable", "1.5"], ["--error-rate-stable", "x"], []])
def test_rates_out_of_range_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        simulated(tmp_path, *arguments)
    assert raised.value.code == 2
