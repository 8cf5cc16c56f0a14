"""Getting a file from a pod, which is not trusted to be quick, short or honest about either."""

import time
from collections.abc import Callable

import httpx

SECONDS = 10.0
"""For a whole answer: a pod that sends a byte now and then would hold up what is asked of all others."""


class NoAnswer(Exception):  # noqa: N818 - it says what is the case
    """The pod cannot be reached, refuses, or takes too long; the message says which."""


class TooLong(Exception):  # noqa: N818 - it says what is the case
    """The answer has more bytes than were asked for."""


def get(client: httpx.Client, url: str, limit: int, clock: Callable[[], float] = time.monotonic) -> bytes:
    """The body of an answer with status 200, as it was sent: nothing is unpacked, whatever it would become.

    Args:
        client: with a timeout for each step.
        url: of the file.
        limit: bytes at most.
        clock: monotonic seconds.

    Raises:
        NoAnswer: see there.
        TooLong: see there.
    """
    began = clock()
    try:
        with client.stream("GET", url, headers={"accept-encoding": "identity"}) as answer:
            if answer.status_code != httpx.codes.OK:
                raise NoAnswer(f"{url} answers {answer.status_code}")
            body = bytearray()
            for chunk in answer.iter_raw():
                body += chunk
                if len(body) > limit:
                    raise TooLong(f"{url} has more than {limit} bytes")
                if clock() - began > SECONDS:
                    raise NoAnswer(f"{url} was not there after {SECONDS:g} s")
            return bytes(body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(f"{url} cannot be reached: {error!s:.200}") from error
