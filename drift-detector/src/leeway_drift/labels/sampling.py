"""Which predictions are kept when not all are."""

from hashlib import blake2b


def in_sample(event_id: str, share: float) -> bool:
    """Whether an inference belongs to a sample of ``share`` (0 to 1) of all.

    The id decides, by its hash: every replica, every retry and both of its events agree.
    """
    digest = blake2b(event_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64
