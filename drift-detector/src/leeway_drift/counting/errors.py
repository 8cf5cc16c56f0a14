"""What can be wrong with counts that were stored."""


class MalformedCounts(ValueError):  # noqa: N818 - it says what is the case
    """Stored counts are not those of this plan; the message says where."""
