"""The HTTP APIs of Prometheus and Alertmanager, directly or through the API server's proxy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from leeway_operators.shell.source import Source, SourceError

# Base address, path, parameters → the answer's JSON.
Ask = Callable[[str, str, Mapping[str, str]], Any]
_SECONDS = 15.0


class Direct:
    """An `Ask` for addresses that can be reached from here."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        """`transport` is for tests."""
        self._transport = transport
        self._sources: dict[str, Source] = {}

    def __call__(self, base: str, path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        """The answer's JSON object.

        Raises:
            SourceError: there is none, in time; the text says why.
        """
        if base not in self._sources:
            told = urlsplit(base).hostname or base
            self._sources[base] = Source(told, base, transport=self._transport, deadline_seconds=_SECONDS)
        return self._sources[base].look().get(path, parameters)


class HttpPrometheus:
    """`core.proof.Prometheus` over HTTP. Answers that do not change within seconds are asked for once."""

    def __init__(self, url: str, ask: Ask) -> None:
        """`url` is its base, `ask` reaches it."""
        self._url = url
        self._name = urlsplit(url).hostname or url  # a login in the address is told to nobody
        self._ask = ask
        self._declared: Mapping[str, Any] | None = None

    def count(self, selector: str) -> int:
        """See `Prometheus`."""
        result = self._data("query", {"query": f"count({selector})"}).get("result")
        try:
            return int(result[0]["value"][1]) if result else 0
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise SourceError(f"{self._name} answered a count with {str(result)[:100]}") from error

    def declarers(self, family: str) -> Sequence[str]:
        """See `Prometheus`."""
        if self._declared is None:
            self._declared = self._data("metadata", {"limit_per_metric": "1"})
        if family not in self._declared:
            return ()
        answer = self._ask(self._url, "api/v1/targets/metadata", {"metric": family, "limit": "1000"})
        entries = answer.get("data") if isinstance(answer, dict) else None
        return sorted({entry["target"].get("job", "") for entry in entries or []})

    def targets(self) -> Sequence[Mapping[str, Any]]:
        """See `Prometheus`."""
        return list(self._data("targets", {"state": "active"}).get("activeTargets") or [])

    def groups(self) -> Sequence[Mapping[str, Any]]:
        """See `Prometheus`."""
        return list(self._data("rules", {}).get("groups") or [])

    def alertmanagers(self) -> Sequence[str]:
        """See `Prometheus`."""
        active = self._data("alertmanagers", {}).get("activeAlertmanagers") or []
        return [one["url"].partition("/api/v2")[0] for one in active]

    def configuration(self, alertmanager: str) -> str | None:
        """See `Prometheus`."""
        try:
            answer = self._ask(alertmanager, "api/v2/status", {})
        except SourceError:
            return None
        return str((answer.get("config") or {}).get("original", "")) if isinstance(answer, dict) else None

    def firing(self) -> Sequence[Mapping[str, str]]:
        """Labels of the alerts that fire.

        Raises:
            SourceError: there was no answer.
        """
        return [one["labels"] for one in self._data("alerts", {}).get("alerts") or [] if one["state"] == "firing"]

    def _data(self, what: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        answer = self._ask(self._url, f"api/v1/{what}", parameters)
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or answer.get("status") != "success" or not isinstance(data, dict):
            raise SourceError(
                f"{self._name} answered {what} with something that is not of Prometheus: is the URL right?"
            )
        return data
