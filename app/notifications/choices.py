"""Changing what a customer is told: rules first, one transaction, one audit entry.

What is so already changes nothing and leaves no entry. What is mandatory is refused
here, by the table, and once more where it would count (realtime.md section 11.4).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app import audit, database
from app.accounts import quick_balance
from app.accounts.accounts import Accounts
from app.auth import denials, factors
from app.auth.actor import Actor
from app.auth.sessions import Sessions
from app.clock import Clock
from app.database import Tx
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.ids import AccountId
from app.money import MINOR_MAX, Money
from app.notifications import preferences
from app.notifications.channels import MANDATORY, Channel
from app.notifications.preferences import ALL, OF_MONEY, Detail, Preference, Wishes
from app.notifications.quiet import QuietHours
from app.payments.errors import CurrencyMismatch
from app.realtime.facts import Category
from app.settings import Settings

QUICK_MAX = 50
_ACTION = "notifications.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be another way; None stays.

    Args:
        category: what `channels` and `threshold` belong to.
        channels: by which ways it is told; none is no way.
        threshold: smaller amounts are not told.
        no_threshold: every amount is told again.
        quiet: when phones must not ring.
        no_quiet: they may always.
        hide_amounts: whether a locked phone shows no figure.
        quick: accounts whose balance this phone may show before sign-in.
    """

    category: Category | None = None
    channels: frozenset[Channel] | None = None
    threshold: Money | None = None
    no_threshold: bool = False
    quiet: QuietHours | None = None
    no_quiet: bool = False
    hide_amounts: bool | None = None
    quick: Sequence[AccountId] | None = None

    def made_to(self, before: Wishes) -> Wishes:
        """Give the choices as they will be."""
        after = before
        if self.category is not None:
            one = self._preferred(before.of(self.category))
            if one != before.of(self.category):
                after = replace(after, chosen={**before.chosen, self.category: one})
        if self.quiet is not None or self.no_quiet:
            after = replace(after, quiet=self.quiet)
        if self.hide_amounts is not None:
            after = replace(after, hide_amounts=self.hide_amounts)
        return after

    def _preferred(self, before: Preference) -> Preference:
        after = before
        if self.channels is not None:
            after = replace(after, channels=self.channels)
        if self.threshold is not None or self.no_threshold:
            after = replace(after, threshold=self.threshold)
        return after


class Choices:
    """What each customer wants to be told, and what each phone may show.

    Args:
        clock: the bank's clock.
        settings: whether a locked phone may ever show an amount.
        accounts: whose accounts, and in which currencies.
        sessions: looks at the caller's session in the transaction.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        accounts: Accounts,
        sessions: Sessions,
    ) -> None:
        self._clock = clock
        self._shows_amounts = settings.push_show_amounts
        self._accounts = accounts
        self._sessions = sessions

    async def of(self, actor: Actor) -> Wishes:
        """Give what the caller chose; where the bank hides amounts they are hidden."""
        customer = actor.known_customer
        found = await preferences.of_customers(database.read, [customer])
        hidden = found[customer].hide_amounts or not self._shows_amounts
        return replace(found[customer], hide_amounts=hidden)

    async def change(self, actor: Actor, change: Change) -> None:
        """Change what is given.

        Raises:
            NotAllowed: the category is mandatory, or the bank shows no amounts.
            ValidationFailed: a channel, threshold or account breaks its rule.
            CurrencyMismatch: no account of the caller has the threshold's currency.
            NotFound: an account is not the caller's.
            Unauthenticated: the session ended meanwhile.
        """
        async with denials.kept(actor, _ACTION, self._clock):
            _require_channels(change)
            await self._require_threshold(actor, change)
            if change.hide_amounts is False and not self._shows_amounts:
                raise NotAllowed(
                    "This bank shows no amounts before sign-in.",
                    field=["hideAmountsInPush"],
                )
            await self._require_owned(actor, change.quick or ())
            await database.transaction(
                lambda tx: self._written(tx, actor, change),
                name="notifications.choose",
            )

    async def _require_threshold(self, actor: Actor, change: Change) -> None:
        least = change.threshold
        if least is None:
            return
        if change.category not in OF_MONEY or not 0 < least.minor <= MINOR_MAX:
            raise ValidationFailed(
                "A threshold is an amount of money that comes in or goes out.",
                field=["threshold"],
            )
        accounts = await self._accounts.of_customer(actor.known_customer)
        if least.currency not in {account.currency for account in accounts}:
            raise CurrencyMismatch(field=["threshold", "currency"])

    async def _require_owned(self, actor: Actor, ids: Sequence[AccountId]) -> None:
        if len(ids) > QUICK_MAX:
            raise ValidationFailed(field=["quickBalanceAccountIds"])
        found = await self._accounts.found(actor, list(dict.fromkeys(ids)))
        if len(found) != len(set(ids)):
            raise NotFound(field=["quickBalanceAccountIds"])

    async def _written(self, tx: Tx, actor: Actor, change: Change) -> None:
        customer = actor.known_customer
        await factors.take_turn(tx, customer)
        await self._sessions.require_live(tx, actor)
        before = (await preferences.of_customers(tx.rows, [customer]))[customer]
        after = change.made_to(before)
        detail: Detail = {}
        if change.category and after.chosen != before.chosen:
            detail |= await preferences.keep(tx, customer, after.of(change.category))
        if (after.quiet, after.hide_amounts) != (before.quiet, before.hide_amounts):
            detail |= await preferences.settle(tx, customer, after)
        if change.quick is not None and await quick_balance.choose(
            tx, actor, change.quick
        ):
            detail |= {"quickBalance": len(set(change.quick))}
        if detail:
            entry = actor.entry(_ACTION, self._clock.now(), detail=detail)
            audit.append(tx, entry)


def _require_channels(change: Change) -> None:
    """Refuse what no category, or not this one, may have."""
    given, named = change.channels, change.category
    touched = given is not None or change.threshold is not None or change.no_threshold
    if named is None:
        if touched:
            raise ValidationFailed("Name the category.", field=["category"])
        return
    if named in MANDATORY and (
        change.threshold is not None or given not in {None, ALL}
    ):
        raise NotAllowed("This cannot be switched off.", field=["category"])
    if given == frozenset({Channel.PUSH}):
        raise ValidationFailed(
            "A push leads to the inbox: choose IN_APP with it.", field=["channels"]
        )
