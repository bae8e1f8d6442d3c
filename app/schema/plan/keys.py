"""What plans are kept by: bounded maps, and keys made of variables."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from enum import Enum
from typing import Generic, TypeVar

from graphql import VariableNode, Visitor

KEPT_MAX = 2000
V = TypeVar("V")


def kept(known: OrderedDict[Hashable, V], key: Hashable, make: Callable[[], V]) -> V:
    """Give what is known by a key, made now if it is not; the oldest make room."""
    found = known.get(key)
    if found is None:
        found = known[key] = make()
        if len(known) > KEPT_MAX:
            known.popitem(last=False)
    else:
        known.move_to_end(key)
    return found


class Weighed(Generic[V]):
    """What was asked for last, bounded by its number and by its weight together.

    Args:
        most: entries.
        weight: of all entries together.
    """

    def __init__(self, most: int, weight: int) -> None:
        self._most = most
        self._weight_max = weight
        self._weight = 0
        self._kept: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """Give what is known by a key."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, value: V, weight: int) -> V:
        """Keep a value and give it, in place of an older one; the oldest make room."""
        _, replaced = self._kept.pop(key, (None, 0))
        self._weight -= replaced
        self._kept[key] = value, weight
        self._weight += weight
        while len(self._kept) > self._most or self._weight > self._weight_max:
            _, (_, freed) = self._kept.popitem(last=False)
            self._weight -= freed
        return value


class Names(Visitor):
    """Gathers the variables of a part of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_variable(self, node: VariableNode, *_rest: object) -> None:
        """Note a variable."""
        self.found.add(node.name.value)


def frozen(value: object) -> Hashable:
    """Give a key for a coerced value; 1, 1.0 and true are three values.

    Raises:
        TypeError: it has no such key.
    """
    if isinstance(value, Mapping):
        return tuple(sorted((name, frozen(one)) for name, one in value.items()))
    if isinstance(value, list | tuple):
        return (list, tuple(frozen(one) for one in value))
    hash(value)
    return (type(value).__name__, value.value if isinstance(value, Enum) else value)
