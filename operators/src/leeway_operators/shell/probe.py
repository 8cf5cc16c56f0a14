"""Asks pods which model they serve, past gateway, Service and agent."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

import httpx

from leeway_operators.core.objects import PROBE_HEADER
from leeway_operators.core.seen import Word

PORT = 8080
# Marks the request as nobody's traffic: the server leaves it out of its counts.
HEADERS = {PROBE_HEADER: "1", "accept-encoding": "identity"}
# For all pods together: whatever a server does, a look ends.
DEADLINE_SECONDS = 3.0
_AT_ONCE = 32
# Metadata of a model with thousands of inputs is smaller; a server that sends more is not read to its end.
_LONGEST_ANSWER = 1 << 20
_LONGEST_ERROR = 300


class Probe(Protocol):
    """Asks the pods of a slot, all at once."""

    def __call__(self, addresses: Sequence[str], model: str) -> Mapping[str, Word]:
        """Each address's word on `model`; why it gave none, otherwise."""


class HttpProbe:
    """`GET http://<pod>:8080/v2/models/<model>`."""

    def __init__(self, port: int = PORT, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        """Port and deadline are arguments for tests."""
        self._port = port
        self._deadline_seconds = deadline_seconds
        # Pods speak plain HTTP; without a context of ours, httpx would read all authorities for every look.
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def __call__(self, addresses: Sequence[str], model: str) -> Mapping[str, Word]:
        """Each address's word on `model`; a refusal or silence comes back as its `error`."""
        return asyncio.run(self._ask_all(addresses, model))

    async def _ask_all(self, addresses: Sequence[str], model: str) -> Mapping[str, Word]:
        # Tasks, because only they can be cancelled wherever they wait; no proxy from the environment: a pod is asked
        # directly or not at all.
        limits = httpx.Limits(max_connections=_AT_ONCE)
        async with httpx.AsyncClient(
            timeout=self._deadline_seconds, headers=HEADERS, trust_env=False, verify=self._tls, limits=limits
        ) as client:
            words = await asyncio.gather(*(self._ask(client, address, model) for address in addresses))
        return dict(zip(addresses, words, strict=True))

    async def _ask(self, client: httpx.AsyncClient, address: str, model: str) -> Word:
        host = f"[{address}]" if ":" in address else address
        try:
            async with (
                asyncio.timeout(self._deadline_seconds),
                client.stream("GET", f"http://{host}:{self._port}/v2/models/{model}") as answer,
            ):
                body = b""
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > _LONGEST_ANSWER:
                        break
                return word_of(answer.status_code, answer.headers, body)
        except (TimeoutError, httpx.TimeoutException):
            return Word(error=f"no answer on port {self._port} within {self._deadline_seconds:g} s")
        except httpx.HTTPError as error:
            return Word(error=f"no answer on port {self._port}: {type(error).__name__}")


def word_of(status: int, headers: Mapping[str, str], body: bytes) -> Word:
    """What an answer says. Without `Retry-After`, an error is the server's last word."""
    refused = "retry-after" not in headers
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):  # the latter for brackets within brackets within brackets
        told = None
    if not isinstance(told, dict):
        return Word(error=f"answered {status} with something that is no JSON object", refused=refused)
    if status != HTTPStatus.OK:
        error = str(told.get("error", f"answered {status}"))[:_LONGEST_ERROR]
        return Word(error=error, refused=refused)
    parameters = told.get("parameters")
    if not isinstance(parameters, dict) or "version" not in parameters:
        return Word(error="answered without parameters.version: is it a Leeway server?", refused=refused)
    return Word(version=parameters["version"], digest=parameters.get("bundle_digest"))
