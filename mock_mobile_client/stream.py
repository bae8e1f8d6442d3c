"""What the live stream taught this phone (realtime.md §5, client rules); pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Self

from mock_mobile_client.money import MoneyValue
from mock_mobile_client.values import AccountValue, BalanceValue, JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """One frame of `events`, as it is applied.

    `came_at` is the phone's own time at which the frame was read, seconds since 1970.
    """

    cursor: str
    sequence: int
    occurred_at: str
    category: str | None
    kind: str
    body: JsonObject
    came_at: float = field(default=0.0, compare=False)

    @classmethod
    def read(cls, node: JsonObject, came_at: float = 0.0) -> Self:
        """Read one EventEnvelope."""
        return cls(
            cursor=node["cursor"],
            sequence=int(node["sequence"]),
            occurred_at=node["occurredAt"],
            category=node["category"],
            kind=node["event"]["__typename"],
            body=node["event"],
            came_at=came_at,
        )


OPENINGS = frozenset({"StreamReady", "StreamReset"})
CONTROL = OPENINGS | {"CaughtUp"}
FIGURES = ("available", "booked", "held")


@dataclass(frozen=True, slots=True)
class Resume:
    """How one opening of the stream went.

    Attributes:
        opening: StreamReady or StreamReset.
        missed: What was told of the past; empty after a reset.
        caught_up: The end of the past; None where there was none, or not yet.
        live: What came after it.
    """

    opening: Event
    missed: tuple[Event, ...]
    caught_up: Event | None
    live: tuple[Event, ...]


@dataclass(slots=True)
class Picture:
    """What the phone shows.

    Attributes:
        cursor: Place after the last applied event.
        sequence: Number of the last applied event; None before the first frame.
        by_event: Balances told by `events`, by account id.
        by_snapshot: Balances told by `balanceChanged`, by account id.
        names: Names of the accounts seen.
        unread: The badge, as the newest InboxAdded told it; None before the first.
        applied: Every event applied, in order, control events included.
        repeated: Events that came although they were applied before.
    """

    cursor: str | None = None
    sequence: int | None = None
    by_event: dict[str, BalanceValue] = field(default_factory=dict)
    by_snapshot: dict[str, BalanceValue] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    unread: int | None = None
    applied: list[Event] = field(default_factory=list)
    repeated: list[Event] = field(default_factory=list)

    @classmethod
    def stored(cls, cursor: str | None, shown: JsonObject) -> Self:
        """The picture as the phone had stored it, see `to_store`."""
        picture = cls(cursor=cursor)
        for account_id, one in shown.items():
            figures = {name: MoneyValue(**one[name]) for name in FIGURES}
            rest = {name: one[name] for name in one if name not in {"name", *FIGURES}}
            picture.by_event[account_id] = BalanceValue(**{**rest, **figures})
            picture.names[account_id] = one["name"]
        return picture

    def to_store(self) -> JsonObject:
        """What `events` led to, in plain JSON, to be stored with the cursor."""
        return {
            account_id: {"name": self.names[account_id], **asdict(balance)}
            for account_id, balance in self.by_event.items()
        }

    def apply(self, event: Event) -> bool:
        """Apply an event in order; False when one is missing before it.

        A number already applied is ignored. A member the app does not know only
        moves the cursor.
        """
        if event.kind in CONTROL:
            self._control(event)
            return True
        if self.sequence is not None and event.sequence <= self.sequence:
            self.repeated.append(event)
            return True
        if self.sequence is not None and event.sequence > self.sequence + 1:
            return False
        if event.kind == "BalanceChanged":
            self.show(event.body, self.by_event)
        elif event.kind == "InboxAdded":
            self.unread = event.body["unreadCount"]
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

    def load(self, accounts: Sequence[AccountValue]) -> None:
        """Show a fresh snapshot, as after a reset; newer figures stay."""
        for account in accounts:
            self.names[account.id] = account.name
            known, fresh = self.by_event.get(account.id), account.balance
            if fresh is not None and (known is None or fresh.version > known.version):
                self.by_event[account.id] = fresh

    @property
    def resume(self) -> Resume:
        """How the newest opening went.

        Raises:
            LookupError: the stream was never open.
        """
        places = [n for n, one in enumerate(self.applied) if one.kind in OPENINGS]
        if not places:
            raise LookupError("the stream was never open")
        opening, *rest = self.applied[places[-1] :]
        ends = [n for n, one in enumerate(rest) if one.kind == "CaughtUp"]
        end = ends[0] if ends else None
        if end is None:
            missed = rest[: int(opening.body.get("missed", 0))]
            return Resume(opening, tuple(missed), None, tuple(rest[len(missed) :]))
        return Resume(opening, tuple(rest[:end]), rest[end], tuple(rest[end + 1 :]))

    def _control(self, event: Event) -> None:
        """Stand where the bank says; a reset forgets what was shown."""
        if event.kind == "StreamReset":
            self.by_event.clear()
        self._moved(event)

    def _moved(self, event: Event) -> None:
        self.cursor, self.sequence = event.cursor, event.sequence
        self.applied.append(event)


def describe(event: Event) -> str:
    """One line for people about one event."""
    told = {
        "StreamReady": _ready,
        "StreamReset": _reset,
        "CaughtUp": _caught_up,
        "BalanceChanged": _balance,
        "PaymentChanged": _payment,
        "InboxAdded": _inbox,
    }
    word, text = told.get(event.kind, _other)(event)
    return f"{word:<9} {text}"


def _ready(event: Event) -> tuple[str, str]:
    return "ready", f"seq {event.sequence}  {event.body['missed']} missed"


def _reset(event: Event) -> tuple[str, str]:
    return "reset", f"seq {event.sequence}  {event.body['reason']}, loaded anew"


def _caught_up(event: Event) -> tuple[str, str]:
    return "caught up", f"seq {event.sequence}"


def _balance(event: Event) -> tuple[str, str]:
    balance = BalanceValue.read(event.body["balance"])
    text = f"{event.body['account']['name']} {balance.available}"
    return "balance", f"{text} (v {balance.version})   seq {event.sequence}"


def _payment(event: Event) -> tuple[str, str]:
    payment = event.body["payment"]
    return "payment", f"{payment['id']} {payment['status']}   seq {event.sequence}"


def _inbox(event: Event) -> tuple[str, str]:
    item = event.body["item"]
    read = "read: " if item["readAt"] else ""
    text = f"{read}{item['title']}, {event.body['unreadCount']} unread"
    return "inbox", f"{text}   seq {event.sequence}"


def _other(event: Event) -> tuple[str, str]:
    return "event", f"{event.kind}   seq {event.sequence}"
