import subprocess
import sys

import pytest

from leeway_drift import command


def test_help_names_what_the_command_does(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])

    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(name in printed for name in ("serve", "profile", "export"))


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        command.main([])

    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_no_part_needs_the_libraries_of_another_before_it_runs():
    """`profile` is installed without the service, `serve` without Arrow."""
    heavy = ["fastapi", "uvicorn", "sqlalchemy", "prometheus_client", "pyarrow", "pydantic"]
    program = f"import sys; sys.modules.update(dict.fromkeys({heavy!r})); import leeway_drift.command"

    subprocess.run([sys.executable, "-c", program], check=True)
