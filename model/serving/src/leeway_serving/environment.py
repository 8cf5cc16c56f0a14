"""Values of the environment, checked."""

from urllib.parse import urlsplit


class SettingsError(ValueError):
    """A variable of the environment is not what was expected; the message names it."""


def url_of(variable: str, value: str) -> str:
    """An address over http or https without credentials.

    Raises:
        SettingsError: it is none.
    """
    try:
        parts = urlsplit(value)
        usable = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and parts.username is None
        )
    except ValueError:  # a port that is no number, or half an IPv6 address
        usable = False
    if not usable or not value.isascii() or not value.isprintable() or " " in value:
        raise SettingsError(f"{variable} {value!r}: http://HOST[:PORT][/PATH] was expected")
    return value


def share_of(variable: str, value: str) -> float:
    """A number over 0 and up to 1.

    Raises:
        SettingsError: it is none.
    """
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise SettingsError(f"{variable} {value!r}: a share over 0 and up to 1 was expected")
    return share
