"""What the live stream taught this phone (realtime.md §5, client rules); pure."""

from dataclasses import dataclass, field
from typing import Self

from mock_mobile_client.values import BalanceValue, JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """One frame of `events`, as it is applied."""

    cursor: str
    sequence: int
    occurred_at: str
    category: str | None
    kind: str
    body: JsonObject

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read one EventEnvelope."""
        return cls(
            cursor=node["cursor"],
            sequence=int(node["sequence"]),
            occurred_at=node["occurredAt"],
            category=node["category"],
            kind=node["event"]["__typename"],
            body=node["event"],
        )


CONTROL = frozenset({"StreamReady", "CaughtUp", "StreamReset"})


@dataclass(slots=True)
class Picture:
    """What the phone shows.

    Attributes:
        cursor: Place after the last applied event.
        sequence: Number of the last applied event; None before the first frame.
        by_event: Balances told by `events`, by account id.
        by_snapshot: Balances told by `balanceChanged`, by account id.
        names: Names of the accounts seen.
        applied: Every event applied, in order, control events included.
    """

    cursor: str | None = None
    sequence: int | None = None
    by_event: dict[str, BalanceValue] = field(default_factory=dict)
    by_snapshot: dict[str, BalanceValue] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    applied: list[Event] = field(default_factory=list)

    def apply(self, event: Event) -> bool:
        """Apply an event in order; False when one is missing before it.

        A number already applied is ignored. A member the app does not know only
        moves the cursor.
        """
        if event.kind in CONTROL:
            self._control(event)
            return True
        if self.sequence is not None and event.sequence <= self.sequence:
            return True
        if self.sequence is not None and event.sequence > self.sequence + 1:
            return False
        if event.kind == "BalanceChanged":
            self.show(event.body, self.by_event)
        self._moved(event)
        return True

    def show(self, node: JsonObject, shown: dict[str, BalanceValue]) -> None:
        """Take a balance over unless a newer version is shown already."""
        account = node["account"]
        self.names[account["id"]] = account["name"]
        balance = BalanceValue.read(node["balance"])
        known = shown.get(account["id"])
        if known is None or balance.version > known.version:
            shown[account["id"]] = balance

    def _control(self, event: Event) -> None:
        """Stand where the bank says; a reset forgets what was shown."""
        if event.kind == "StreamReset":
            self.by_event.clear()
        self._moved(event)

    def _moved(self, event: Event) -> None:
        self.cursor, self.sequence = event.cursor, event.sequence
        self.applied.append(event)
