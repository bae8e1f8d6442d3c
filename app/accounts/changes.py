"""What a customer calls an account, and below which amount it is told of.

What is so already changes nothing and leaves no entry (banking.md section 3).
"""

import unicodedata
from dataclasses import dataclass, replace

from app import audit, database
from app.accounts.account import Account
from app.accounts.accounts import Accounts, held
from app.auth import denials, factors
from app.auth.actor import Actor
from app.auth.sessions import Sessions
from app.clock import Clock
from app.database import Tx
from app.errors import NotFound, ValidationFailed
from app.ids import AccountId
from app.money import MINOR_MAX, Money

NICKNAME_MAX = 40
_ACTION = "account.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What is to be another way; None stays.

    Args:
        id: the account.
        nickname: what the customer calls it.
        no_nickname: it is called by its name again.
        alert: told of when the available balance falls below it.
        no_alert: never told of.
    """

    id: AccountId
    nickname: str | None = None
    no_nickname: bool = False
    alert: Money | None = None
    no_alert: bool = False

    def made_to(self, account: Account) -> Account:
        """Give the account as it will be.

        Raises:
            ValidationFailed: the nickname or the amount breaks its rule.
        """
        after = account
        if self.nickname is not None or self.no_nickname:
            after = replace(after, nickname=_nickname(self.nickname))
        if self.alert is not None or self.no_alert:
            after = replace(after, low_balance=_alert(self.alert, account.currency))
        return after


class AccountChanges:
    """Changes accounts for their customer.

    Args:
        clock: the bank's clock.
        accounts: decides whose they are.
        sessions: looks at the caller's session in the transaction.
    """

    def __init__(self, *, clock: Clock, accounts: Accounts, sessions: Sessions) -> None:
        self._clock = clock
        self._accounts = accounts
        self._sessions = sessions

    async def update(self, actor: Actor, change: AccountChange) -> Account:
        """Change what is given; a "no" leaves an audit entry.

        Raises:
            NotFound: no such account of this customer.
            ValidationFailed: the nickname is blank or long, or the amount is not
                greater than zero, or of another currency.
            Unauthenticated: the session ended meanwhile.
        """
        async with denials.kept(actor, _ACTION, self._clock, str(change.id)):
            found = await self._accounts.owned(actor, [change.id])
            change.made_to(found[change.id])
            return await database.transaction(
                lambda tx: self._written(tx, actor, change), name="accounts.update"
            )

    async def _written(self, tx: Tx, actor: Actor, change: AccountChange) -> Account:
        await factors.take_turn(tx, actor.known_customer)
        await self._sessions.require_live(tx, actor)
        before = await held(tx, actor.known_customer, change.id)
        if before is None:
            raise NotFound(field=["id"])
        after = change.made_to(before)
        if after == before:
            return before
        low = after.low_balance
        await tx.rows(
            "UPDATE account SET nickname = $2, low_balance_minor = $3 "
            "WHERE id = $1 RETURNING id",
            after.id,
            after.nickname,
            None if low is None else low.minor,
        )
        entry = actor.entry(
            _ACTION,
            self._clock.now(),
            object=str(after.id),
            detail={
                "named": after.nickname is not None,
                "lowBalance": "none" if low is None else f"{low.minor} {low.currency}",
            },
        )
        audit.append(tx, entry)
        return after


def _nickname(text: str | None) -> str | None:
    if text is None:
        return None
    trimmed = unicodedata.normalize("NFC", text).strip()
    unseen = any(unicodedata.category(one)[0] == "C" for one in trimmed)
    if not 1 <= len(trimmed) <= NICKNAME_MAX or unseen:
        raise ValidationFailed(
            f"One line of 1 to {NICKNAME_MAX} characters.", field=["nickname"]
        )
    return trimmed


def _alert(amount: Money | None, currency: str) -> Money | None:
    if amount is not None and (
        amount.currency != currency or not 0 < amount.minor <= MINOR_MAX
    ):
        raise ValidationFailed(
            "An amount greater than zero, in the account's currency.",
            field=["lowBalanceAlert"],
        )
    return amount
