"""What goes wrong, as the environment variable FAULT of the ServingRuntime says it."""

from dataclasses import dataclass

_EXPECTED = (
    "expected one or more of errors=SHARE, slow=SHARE with delay=SECONDS, labels=flipped, features=shuffled,"
    " separated by commas"
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a faulty version does.

    Attributes:
        errors: share of the requests that fail, 0 to 1.
        slow: share of the requests that take longer.
        delay: by how many seconds.
        flipped: classes change places: the most likely one becomes the least likely.
        shuffled: each value of a row comes from one of the rows before it.
    """

    errors: float = 0.0
    slow: float = 0.0
    delay: float = 0.0
    flipped: bool = False
    shuffled: bool = False


def fault_of(text: str) -> Fault:
    """Read `errors=0.05`, `slow=0.2,delay=0.05`, `labels=flipped`, `features=shuffled` or several of them.

    Raises:
        ValueError: it is something else, or nothing.
    """
    parts = dict(_part(part) for part in text.split(",")) if text else {}
    words = {("labels", "flipped"), ("features", "shuffled")} & set(parts.items())
    numbers = {key: _number(key, value) for key, value in parts.items() if key in {"errors", "slow", "delay"}}
    if not parts or len(words) + len(numbers) != len(parts):
        raise ValueError(f"FAULT {text!r}: {_EXPECTED}")
    if ("slow" in numbers) != ("delay" in numbers):
        raise ValueError(f"FAULT {text!r}: slow and delay are expected together")
    flipped, shuffled = ("labels", "flipped") in words, ("features", "shuffled") in words
    return Fault(**numbers, flipped=flipped, shuffled=shuffled)


def _part(text: str) -> tuple[str, str]:
    key, _, value = text.strip().partition("=")
    return key, value


def _number(key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise ValueError(f"FAULT {key}={text}: a number above 0 and at most 1 was expected")
    return number
