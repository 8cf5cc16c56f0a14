"""Asks a source of evidence over HTTP: bounded in time and size, tried again where that can help, JSON or a reason."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx
import stamina

# For all questions of one look, with everything tried again: no look waits longer for a source.
DEADLINE_SECONDS = 3.0
_ATTEMPTS = 3
_LONGEST_ANSWER = 64 << 20
_LONGEST_QUOTE = 200


class SourceError(Exception):
    """A source gave nothing; the text says why, for a person, and names no credentials."""


class TransientError(SourceError):
    """The same question may be answered in a moment."""


class Source:
    """One HTTP API that answers with JSON objects. Threads may share it."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Ask nothing yet; an address that nobody is at is found out with the first question.

        Args:
            name: what people call it.
            url: its base; credentials in it are sent, and never told.
            transport: for tests.
            deadline_seconds: for all questions of one look.

        Raises:
            ValueError: `url` is no http(s) URL.
        """
        base = httpx.URL(url)
        if base.scheme not in ("http", "https") or not base.host:
            raise ValueError(f"the URL of {name} has to begin with http:// or https:// and a host")
        self._where = f"{name} at {base.netloc.decode()}"
        self._deadline_seconds = deadline_seconds
        # No proxy and no .netrc from the environment: evidence comes from where the arguments say.
        self._client = httpx.Client(
            base_url=base, timeout=deadline_seconds, headers={"accept": "application/json"}, trust_env=False,
            transport=transport,
        )  # fmt: skip

    def look(self) -> "Look":
        """Begin questions that share one deadline."""
        return Look(self, time.monotonic() + self._deadline_seconds)

    def ask(self, path: str, parameters: Mapping[str, str], end: float) -> dict[str, Any]:
        """One attempt, which ends at `end` by the monotonic clock."""
        late = f"{self._where} gave no answer within {self._deadline_seconds:g} s"
        left = end - time.monotonic()
        if left <= 0:
            raise SourceError(late)
        body = bytearray()
        try:
            with self._client.stream("GET", path, params=dict(parameters), timeout=left) as answer:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _LONGEST_ANSWER:
                        raise SourceError(f"{self._where} answered with more than {_LONGEST_ANSWER >> 20} MiB")
                    if time.monotonic() > end:
                        raise SourceError(late)
        except httpx.TimeoutException as error:
            raise TransientError(late) from error
        except httpx.HTTPError as error:
            raise TransientError(f"{self._where} cannot be reached ({type(error).__name__})") from error
        return self._read(answer, bytes(body))

    def _read(self, answer: httpx.Response, body: bytes) -> dict[str, Any]:
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        if answer.status_code != HTTPStatus.OK:
            kind = TransientError if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else SourceError
            quote = f": {str(told['error'])[:_LONGEST_QUOTE]}" if isinstance(told, dict) and "error" in told else ""
            raise kind(f"{self._where} answered {answer.status_code}{quote}")
        if not isinstance(told, dict):
            media = answer.headers.get("content-type", "no media type")
            raise SourceError(
                f"{self._where} answered with something that is no JSON object ({media}): is the URL right?"
            )
        return told


class Look:
    """Questions with one deadline for all of them."""

    def __init__(self, source: Source, end: float) -> None:
        """`end` is by the monotonic clock."""
        self._source = source
        self._end = end

    def get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The answer's JSON object.

        Raises:
            SourceError: there is none, in time, with status 200.
        """
        # Only what may pass is tried again: no connection, no answer, a fault of the server's. Never a refusal.
        for attempt in stamina.retry_context(
            on=TransientError,
            attempts=_ATTEMPTS,
            timeout=max(self._end - time.monotonic(), 0.0),
            wait_initial=0.1,
            wait_max=0.5,
            wait_jitter=0.1,
        ):
            with attempt:
                return self._source.ask(path, parameters, self._end)
        raise AssertionError("the last attempt either returned or raised")
