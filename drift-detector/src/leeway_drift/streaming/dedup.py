"""Remembering which events were seen, in bounded memory."""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

Remembered = TypeVar("Remembered", bound=Hashable)


class RecentKeys(Generic[Remembered]):
    """The last ``capacity`` distinct keys; a repetition that comes later than that passes as new.

    Args:
        capacity: keys remembered at most.
        keys: to begin with, oldest first.
    """

    def __init__(self, capacity: int, keys: Iterable[Remembered] = ()) -> None:
        self._capacity = capacity
        self._order: deque[Remembered] = deque()
        self._keys: set[Remembered] = set()
        for key in keys:
            self.add(key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Remembered]:
        return iter(self._order)

    def add(self, key: Remembered) -> bool:
        """Remember a key; False if it is already remembered."""
        if key in self._keys:
            return False
        if len(self._order) >= self._capacity:
            self._keys.remove(self._order.popleft())
        self._order.append(key)
        self._keys.add(key)
        return True
