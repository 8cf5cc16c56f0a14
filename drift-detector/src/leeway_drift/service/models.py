"""Answers of the API."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from leeway_drift.reading.events import Kind, Stream
from leeway_drift.streaming.window import Window


class Acknowledgement(BaseModel):
    """The event was taken."""

    status: str = "ok"


class ErrorAnswer(BaseModel):
    """Every error of the API."""

    error: str = Field(description="What is wrong, where, and what was expected.")


class WindowAnswer(BaseModel):
    """What a window holds now, without any of its values."""

    namespace: str
    model: str
    version: str
    type: Kind
    events: int = Field(description="Events whose rows are in the window.")
    rows: int = Field(description="Rows of these events.")
    columns: list[str] = Field(description="Names of the columns that any of these events had, in alphabetical order.")
    oldest: datetime | None = Field(description="When the logger saw the first of these events; null if there is none.")
    newest: datetime | None = Field(description="When the logger saw the last of these events; null if there is none.")
    request_ids: list[str] = Field(description="x-request-id of these events in order of arrival, where known.")

    @classmethod
    def of(cls, stream: Stream, kind: Kind, window: Window) -> Self:
        """Describe a window."""
        times = [entry.time for entry in window]
        columns = {name for entry in window for name in (*entry.rows.numeric, *entry.rows.categorical)}
        return cls(
            namespace=stream.namespace,
            model=stream.model,
            version=stream.version,
            type=kind,
            events=len(window),
            rows=window.rows,
            columns=sorted(columns),
            oldest=min(times, default=None),
            newest=max(times, default=None),
            request_ids=[entry.request_id for entry in window if entry.request_id is not None],
        )
