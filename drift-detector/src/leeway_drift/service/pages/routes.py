"""The pages' routes: ``/ui`` lists the models, ``/ui/{namespace}/{model}`` shows one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse

from leeway_drift.report.html import content_security_policy, environment
from leeway_drift.service.pages.view import version_view

_HEADERS = {
    # The hash of the one stylesheet; frame-ancestors counts in the header only.
    "content-security-policy": f"{content_security_policy()}; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Source(Protocol):
    """What the pages show; both are called on any thread."""

    def models(self) -> Sequence[tuple[str, str]]:
        """Namespace and name of every model that has a stream."""

    def status(self, namespace: str, model: str) -> Mapping[str, Any] | None:
        """The document of ``GET /v1/status/{namespace}/{model}`` with distributions; None for an unknown model."""


def add_pages(app: FastAPI, source: Source) -> None:
    """Add the pages to the API; they are for people and not part of its OpenAPI document."""
    templates = environment("leeway_drift.service.pages")

    @app.get("/ui", include_in_schema=False)
    def index() -> HTMLResponse:
        page = templates.get_template("index.html").render(models=sorted(source.models()))
        return HTMLResponse(page, headers=_HEADERS)

    @app.get("/ui/{namespace}/{model}", include_in_schema=False)
    def model(namespace: str, model: str) -> HTMLResponse:
        # In a thread: thousands of bars take tens of milliseconds, which the sink on the event loop does not have.
        document = source.status(namespace, model)
        if document is None:
            raise HTTPException(404, f"no events of model {model!r} in namespace {namespace!r}")
        versions = [version_view(version) for version in document["versions"]]
        page = templates.get_template("model.html").render(namespace=namespace, model=model, versions=versions)
        return HTMLResponse(page, headers=_HEADERS)
