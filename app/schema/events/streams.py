"""What a phone keeps open: everything that happens to a customer, or balances alone.

Events show the snapshot of their own moment; only fields beyond the snapshot are read
when they are selected. An event about an account the caller may not see is withheld,
so that the numbers stay whole (realtime.md sections 5 and 6 of the design).
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any, cast

import strawberry
from typing_extensions import override

from app.accounts import account as accounts
from app.accounts import balances
from app.errors import BadRequest
from app.ids import AccountId, MalformedId
from app.realtime import cursor, facts, newest, stream
from app.realtime.follow import Follower
from app.realtime.logged import LoggedEvent
from app.schema import guards
from app.schema.context import Context, Info
from app.schema.events import kinds, shapes
from app.schema.events.kinds import BalanceChanged, EventEnvelope
from app.schema.guards import AuthLevel
from app.schema.notifications.enums import Category
from app.schema.plan.feed import Feed
from app.schema.plan.projector import Shared
from app.schema.scalars import EventCursor, Int64


class EventFeed(Feed):
    """A customer's events as one caller may see them.

    Which accounts he may see is asked once per account and subscription.

    Args:
        follower: of the customer's stream.
        context: of the operation.
    """

    __slots__ = ("_allowed", "_context")
    shape = shapes.ENVELOPE

    def __init__(self, follower: Follower, context: Context) -> None:
        super().__init__(follower)
        self._context = context
        self._allowed: dict[str, bool] = {}

    @override
    def see(self, item: stream.StreamItem) -> object:
        """Give the envelope, or what makes one when nobody has rendered it yet."""
        if not isinstance(item, LoggedEvent):
            return EventEnvelope(
                cursor=EventCursor(str(item.cursor)),
                sequence=Int64(item.cursor.seq),
                occurred_at=item.at,
                category=None,
                event=_control(item),
            )
        account = _account_of(item.fact)
        seen = True if account is None else self._allowed.get(account)
        if seen is None:
            raise stream.Away
        make = _open if seen else _closed
        memo = None if self.is_alone else item.shown
        return Shared(memo, seen, make, item, shaped=seen)

    @override
    async def learn(self, item: stream.StreamItem) -> None:
        """Ask whether the caller may see the account that an event is about."""
        account = _account_of(item.fact) if isinstance(item, LoggedEvent) else None
        if account is not None and account not in self._allowed:
            self._allowed[account] = await self._asked(account)

    async def _asked(self, account: str) -> bool:
        try:
            key = AccountId.parse(account)
        except MalformedId:
            return False
        return key in await self._context.bank.accounts.found(
            self._context.actor, [key]
        )


def _account_of(fact: facts.Fact) -> str | None:
    match fact:
        case facts.BalanceChanged():
            return fact.account.id
        case facts.TransactionPosted() | facts.TransactionUpdated():
            return fact.transaction.account.id
        case facts.PaymentChanged():
            return fact.payment.from_account.id
        case _:
            return None


_SHOWN: dict[type[facts.Fact], Callable[[Any], kinds.CustomerEvent]] = {
    facts.BalanceChanged: BalanceChanged.of,
    facts.TransactionPosted: kinds.TransactionPosted.of,
    facts.TransactionUpdated: kinds.TransactionUpdated.of,
    facts.PaymentChanged: kinds.PaymentChanged.of,
    facts.BeneficiaryChanged: kinds.BeneficiaryChanged.of,
    facts.DeviceChanged: kinds.DeviceChanged.of,
    facts.LimitChanged: kinds.LimitChanged.of,
    facts.SecurityEvent: kinds.SecurityEvent.of,
    facts.InboxAdded: kinds.InboxAdded.of,
}


def _shown(fact: facts.Fact) -> kinds.CustomerEvent:
    return _SHOWN[type(fact)](fact)


def _open(item: LoggedEvent) -> EventEnvelope:
    return _envelope(item, _shown(item.fact))


def _closed(item: LoggedEvent) -> EventEnvelope:
    return _envelope(item, kinds.EventWithheld(reason="NOT_VISIBLE"))


def _envelope(item: LoggedEvent, event: kinds.CustomerEvent) -> EventEnvelope:
    return EventEnvelope(
        cursor=EventCursor(str(item.cursor)),
        sequence=Int64(item.seq),
        occurred_at=item.occurred_at,
        category=item.fact.category,
        event=event,
    )


def _control(
    item: stream.StreamReady | stream.CaughtUp | stream.StreamReset,
) -> kinds.CustomerEvent:
    at = EventCursor(str(item.cursor))
    match item:
        case stream.StreamReady():
            return kinds.StreamReady(cursor=at, missed=item.missed)
        case stream.CaughtUp():
            return kinds.CaughtUp(cursor=at)
        case stream.StreamReset():
            reason = kinds.StreamResetReason[item.reason.name]
            return kinds.StreamReset(reason=reason, cursor=at)


# ------------------------------------------------------------------ subscriptions


def _position(after: EventCursor | None) -> cursor.EventCursor | None:
    if after is None:
        return None
    try:
        return cursor.EventCursor.parse(after)
    except cursor.MalformedCursor:
        raise BadRequest("`after` is not a cursor of this server.") from None


@strawberry.type
class Subscription:
    """What a phone keeps open."""

    @guards.subscription(
        level=AuthLevel.LOGIN,
        cost=20,
        description=(
            "Everything for this customer, in order, without gaps, resumable: the one "
            "stream an app keeps open. First frame StreamReady; with `after` the "
            "missed events and CaughtUp follow, or StreamReset comes first when they "
            "are gone. `categories` filters what is delivered, not what is counted."
        ),
    )
    def events(
        self,
        info: Info,
        after: EventCursor | None = None,
        categories: list[Category] | None = None,
    ) -> AsyncGenerator[EventEnvelope, None]:
        """Follow the customer's stream; the engine takes a feed for a generator."""
        context = info.context
        follower = Follower(
            context.bank.hub,
            context.bank.clock,
            context.actor.known_customer,
            _position(after),
            None if categories is None else frozenset(categories),
            context.actor.device,
        )
        feed = EventFeed(follower, context)
        return cast("AsyncGenerator[EventEnvelope, None]", feed)

    @guards.subscription(
        level=AuthLevel.LOGIN,
        cost=20,
        description=(
            "For screens without the main stream: the present balance of each account "
            "at once, then its changes. The only stream in which changes are merged: "
            "the newest wins, at most two frames a second and account. Without "
            "`accountIds`: all."
        ),
    )
    async def balance_changed(
        self, info: Info, account_ids: list[strawberry.ID] | None = None
    ) -> AsyncGenerator[BalanceChanged, None]:
        """Follow the newest balances; ids of others are as unknown as made-up ones."""
        context = info.context
        customer = context.actor.known_customer

        async def present() -> Iterable[facts.BalanceChanged]:
            own = await context.bank.accounts.of_customer(customer)
            if account_ids is not None:
                own = [one for one in own if str(one.id) in account_ids]
            figures = await context.bank.balances.of(own)
            return [_fact(one, figures[one.id]) for one in own if one.id in figures]

        bank = context.bank
        found = newest.newest_balances(bank.hub, bank.clock, customer, present)
        async with aclosing(found) as changes:
            async for fact in changes:
                context.loaders.clear()  # a frame shows the state of its moment
                yield BalanceChanged.of(fact)


def _fact(account: accounts.Account, balance: balances.Balance) -> facts.BalanceChanged:
    return facts.BalanceChanged(
        customer=account.customer,
        occurred_at=balance.as_of,
        account=accounts.shot(account),
        balance=balances.shot(balance),
    )
