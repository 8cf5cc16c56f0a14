"""Asks a pod which model it serves, past gateway, Service and agent."""

from typing import Protocol

import httpx

from leeway_operators.core.model import Word

PORT = 8080
# Marks the request as nobody's traffic: the server leaves it out of its counts.
HEADERS = {"x-leeway-probe": "1"}
_LONGEST_ERROR = 300


class Probe(Protocol):
    """Asks one pod."""

    def __call__(self, ip: str, model: str) -> Word:
        """The server's word on `model`; why it gave none, otherwise."""


class HttpProbe:
    """`GET http://<pod>:8080/v2/models/<model>`, with the port as an argument for tests."""

    def __init__(self, port: int = PORT) -> None:
        self._port = port
        # No proxy from the environment: a pod is asked directly or not at all.
        self._client = httpx.Client(timeout=httpx.Timeout(2.0), headers=HEADERS, trust_env=False)

    def __call__(self, ip: str, model: str) -> Word:
        """The server's word on `model`; a refusal or silence comes back as its `error`."""
        host = f"[{ip}]" if ":" in ip else ip
        try:
            answer = self._client.get(f"http://{host}:{self._port}/v2/models/{model}")
            body = answer.json()
        except httpx.HTTPError as error:
            return Word(error=f"no answer on port {self._port}: {type(error).__name__}")
        except ValueError:
            return Word(error=f"answered {answer.status_code} with something that is not JSON")
        if not isinstance(body, dict):
            return Word(error=f"answered {answer.status_code} with something that is not an object")
        if not answer.is_success:
            return Word(error=str(body.get("error", f"answered {answer.status_code}"))[:_LONGEST_ERROR])
        told = body.get("parameters")
        if not isinstance(told, dict):
            return Word(error="answered without parameters.version")
        return Word(version=told.get("version"), digest=told.get("bundle_digest"))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
