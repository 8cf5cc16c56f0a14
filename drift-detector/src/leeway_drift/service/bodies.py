"""Reading the bodies of requests, bounded one by one and all together."""

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from leeway_drift.streaming.streams import Outcome


class Unread(HTTPException):
    """A body could not be had; it is answered with its status.

    Attributes:
        outcome: of the event it would have been.
    """

    def __init__(self, outcome: Outcome, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)
        self.outcome = outcome


class Bodies:
    """Reads bodies; of the event loop.

    Each connection may hold one: without a common bound, some hundred slow senders of large bodies would fill the
    memory without ever sending an event.

    Args:
        together: bytes that all bodies that are being read may have.
    """

    def __init__(self, together: int) -> None:
        self._room = together

    async def read(self, request: Request, limit: int) -> bytes:
        """The body.

        Raises:
            Unread: it is over the limit, is cut off, or there is no room for it now.
        """
        body = bytearray()
        try:
            async for chunk in request.stream():
                if len(body) + len(chunk) > limit:
                    raise Unread(Outcome.TOO_LARGE, 413, f"body: over the limit of {limit} bytes")
                if len(chunk) > self._room:
                    raise Unread(Outcome.DROPPED, 503, "too many bodies at once; send it again", {"Retry-After": "1"})
                self._room -= len(chunk)
                body += chunk
        except ClientDisconnect as error:
            raise Unread(Outcome.INCOMPLETE, 400, "body: cut off") from error
        finally:
            self._room += len(body)
        return bytes(body)
