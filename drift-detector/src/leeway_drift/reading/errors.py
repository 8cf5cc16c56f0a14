"""What several modules raise."""


class Undecodable(ValueError):  # noqa: N818 - it says what the body is
    """A body cannot be read as an inference; the message names the place and what was expected."""
