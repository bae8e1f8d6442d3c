"""What a process remembers of what it asked, up to so many keys."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shelf(Generic[K, V]):
    """Keeps the newest value of each key; what was kept longest ago goes first.

    How long a value counts is for whoever keeps it.

    Args:
        at_most: how many keys are kept.
    """

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._kept: OrderedDict[K, V] = OrderedDict()

    def keep(self, key: K, value: V) -> V:
        """Remember a value, and give it back."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        if len(self._kept) > self._at_most:
            self._kept.popitem(last=False)
        return value

    def of(self, key: K) -> V | None:
        """Give the last value of a key."""
        return self._kept.get(key)

    def drop(self, key: K) -> None:
        """Forget a key."""
        self._kept.pop(key, None)
