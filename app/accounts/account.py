"""What an account is: its values, its masks, its display snapshot."""

import re
from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import override

from app.ids import AccountId, CustomerId
from app.integrations.core_banking import AccountKind, AccountState
from app.money import Money
from app.realtime.shots import AccountShot

# Kept as the core of an account that its core gave to another client: it lies in none
# of ours, so nobody looks at it or is shown it. No adapter may have this name.
MOVED = "moved"


class AccountStatus(StrEnum):
    """What a list shows of an account's state."""

    ACTIVE = "ACTIVE"
    DORMANT = "DORMANT"
    BLOCKED = "BLOCKED"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account of one customer.

    Args:
        id: ours.
        customer: whose it is.
        ref: the core's own name of it.
        kind, name, nickname: what it is and is called.
        masked_number: its number, only the last four characters readable.
        bank_code: what payers need besides the number.
        currency: ISO 4217.
        state: what may move on it; DORMANT where the bank must wake it.
        low_balance: a notice is made when the available balance falls below it.
    """

    id: AccountId
    customer: CustomerId
    ref: str
    kind: AccountKind
    name: str
    nickname: str | None
    masked_number: str
    bank_code: str
    currency: str
    state: str
    low_balance: Money | None

    @override
    def __hash__(self) -> int:
        return hash(self.id.value)  # the rest hardly tells accounts apart

    @property
    def status(self) -> AccountStatus:
        """What a list shows."""
        if self.state == AccountState.OPEN:
            return AccountStatus.ACTIVE
        known = self.state in set(AccountStatus)
        return AccountStatus(self.state) if known else AccountStatus.BLOCKED

    @property
    def can_debit(self) -> bool:
        """Whether money can leave, if there is any."""
        return self.state in {AccountState.OPEN, AccountState.BLOCK_CREDIT}

    @property
    def can_credit(self) -> bool:
        """Whether money can come in."""
        return self.state in {AccountState.OPEN, AccountState.BLOCK_DEBIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRef:
    """An account of anybody at this bank, as far as a payer may need it."""

    id: AccountId
    customer: CustomerId
    ref: str
    masked_number: str
    bank_code: str
    currency: str
    can_credit: bool


def normal(number: str) -> str:
    """Give an account number as it is compared: capitals, no spaces or hyphens."""
    return re.sub(r"[\s-]", "", number).upper()


def masked(number: str) -> str:
    """Hide an account number but for its last four characters."""
    return "••••" + normal(number)[-4:]


def shot(account: Account) -> AccountShot:
    """Give the display snapshot that facts carry."""
    return AccountShot(
        id=str(account.id),
        kind=account.kind,
        name=account.name,
        nickname=account.nickname,
        masked_number=account.masked_number,
        currency=account.currency,
        status=account.status,
        can_debit=account.can_debit,
        can_credit=account.can_credit,
    )
