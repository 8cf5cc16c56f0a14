"""What can be wrong with a request or with a model directory."""


class RequestError(Exception):
    """A request that is refused on purpose.

    Attributes:
        status: HTTP status code of the answer.
        reason: value of the label `reason` of `leeway_inference_rejected_total`.
        headers: further response headers, such as `Allow` or `Retry-After`.
    """

    def __init__(self, status: int, reason: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def malformed(message: str) -> RequestError:
    """400: the message says what, where, and what was expected."""
    return RequestError(400, "malformed", message)


def too_large(message: str) -> RequestError:
    """413: the message names the limit."""
    return RequestError(413, "too_large", message)


class ModelError(Exception):
    """A model directory that must not be served; the message is what operators read in logs and in 503 answers."""
