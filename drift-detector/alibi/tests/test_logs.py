"""What the worker writes past its frames: lines of the log's schema, and nothing of the rows it was sent."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from leeway_drift.service.alibi_protocol import encode

COMMAND = str(Path(sys.executable).with_name("leeway-alibi"))
SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "log.schema.json").read_text())
MARK = "Meier, 4711"
PATIENCE = 120


def lines(text: str) -> list[dict[str, Any]]:
    """What was written; the members of each line are those of the schema."""
    parsed = [json.loads(line) for line in text.splitlines()]
    for line in parsed:
        assert set(SCHEMA["required"]) <= set(line) <= set(SCHEMA["properties"])
        assert line["component"] == "alibi-worker"
        assert line["component"] in SCHEMA["properties"]["component"]["enum"]
    return parsed


def test_a_frame_that_is_none_ends_it_with_one_line_and_without_what_was_sent() -> None:
    done = subprocess.run([COMMAND], input=MARK.encode() * 9, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode != 0
    assert done.stdout == b""
    (line,) = lines(done.stderr.decode())
    assert (line["level"], line["message"], line["error"]) == ("critical", "the process failed", "FrameError")
    assert MARK not in done.stderr.decode()


def test_a_question_that_it_cannot_answer_is_answered_and_no_line() -> None:
    question = encode({"op": "judge", "version": MARK})
    done = subprocess.run([COMMAND], input=question, capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


def test_what_a_library_prints_is_neither_a_frame_nor_a_line() -> None:
    program = f"from leeway_alibi import worker\nworker.serve = lambda *_: print({MARK!r}, flush=True)\nworker.main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
