"""The latest rows of a stream, in bounded memory."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from leeway_drift.columns import Rows


@dataclass(frozen=True, slots=True)
class Entry:
    """One decoded event.

    Attributes:
        time: when the logger saw it.
        request_id: ``x-request-id``, None if unknown.
        rows: what it carried.
    """

    time: datetime
    request_id: str | None
    rows: Rows


class Window:
    """Entries in order of arrival, bounded in rows and bytes; the oldest give way.

    Args:
        max_rows: rows held at most.
        max_bytes: memory held at most, in bytes. Neighbours with equal columns share their names, which the first of
            them pays for; the window may exceed its bound by one such set of names once the first is gone.
    """

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._entries: deque[tuple[Entry, int]] = deque()
        self._rows = 0
        self._bytes = 0

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry, _ in self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def rows(self) -> int:
        """Rows held."""
        return self._rows

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._bytes

    def append(self, entry: Entry) -> bool:
        """Add an entry at the end; False, and nothing is changed, if it alone exceeds the window."""
        shared = entry.rows.sharing_names_with(self._entries[-1][0].rows) if self._entries else None
        if shared is None:
            size = entry.rows.nbytes + entry.rows.names_nbytes
        else:
            entry = replace(entry, rows=shared)
            size = shared.nbytes
        if entry.rows.count > self._max_rows or size > self._max_bytes:
            return False
        while self._rows + entry.rows.count > self._max_rows or self._bytes + size > self._max_bytes:
            oldest, freed = self._entries.popleft()
            self._rows -= oldest.rows.count
            self._bytes -= freed
        self._entries.append((entry, size))
        self._rows += entry.rows.count
        self._bytes += size
        return True
