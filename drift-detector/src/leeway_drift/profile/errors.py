"""What can be wrong with a reference or a profile."""


class ProfileError(ValueError):
    """The reference cannot be profiled, or a document is no profile; the message says where and what was expected."""
