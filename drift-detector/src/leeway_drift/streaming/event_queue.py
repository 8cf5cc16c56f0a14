"""What is accepted and not yet decoded, in bounded memory."""

from collections import deque
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Something that knows how much memory it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""


Item = TypeVar("Item", bound=Sized)


class EventQueue(Generic[Item]):
    """First in, first out, bounded in items and in bytes; the oldest give way.

    The oldest and not the newest: a detector that is behind should judge what the model sees now.

    Args:
        max_items: items held at most, at least 1.
        max_bytes: sum of their ``nbytes`` held at most.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: deque[Item] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def nbytes(self) -> int:
        """Bytes held by all items."""
        return self._bytes

    def push(self, item: Item) -> list[Item]:
        """Add an item and return what had to go for it, oldest first; the item itself if it alone is too large."""
        if item.nbytes > self._max_bytes:
            return [item]
        dropped = []
        while len(self._items) >= self._max_items or self._bytes + item.nbytes > self._max_bytes:
            dropped.append(self._take())
        self._items.append(item)
        self._bytes += item.nbytes
        return dropped

    def pop(self) -> Item | None:
        """Take the oldest item, None if there is none."""
        return self._take() if self._items else None

    def _take(self) -> Item:
        item = self._items.popleft()
        self._bytes -= item.nbytes
        return item
