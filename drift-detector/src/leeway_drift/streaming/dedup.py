"""Remembering which events were seen, in bounded memory."""

from collections import deque
from collections.abc import Hashable


class RecentKeys:
    """The last ``capacity`` distinct keys; a repetition that comes later than that passes as new."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._order: deque[Hashable] = deque()
        self._keys: set[Hashable] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: Hashable) -> bool:
        """Remember a key; False if it is already remembered."""
        if key in self._keys:
            return False
        if len(self._order) >= self._capacity:
            self._keys.remove(self._order.popleft())
        self._order.append(key)
        self._keys.add(key)
        return True
