"""The golden file that the native statistics are held to is what Alibi-Detect says."""

from make_golden import TARGET, document


def test_the_golden_file_is_what_the_locked_alibi_says_today() -> None:
    assert TARGET.read_text(encoding="utf-8") == document()
