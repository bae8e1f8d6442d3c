"""Requests to move money turned into legs that sum to nothing: pure, no database.

Credit is plus and debit is minus for every account, house accounts too, so a journal is
right when it sums to 0, in total and in what is committed (banking.md section 2).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

AMOUNT_MAX = 10**15  # minor units of one posting: 4,000 such sums still fit in BIGINT


class Phase(StrEnum):
    """Which of the three figures of a balance a leg moves."""

    COMMITTED = "COMMITTED"
    PENDING_OUT = "PENDING_OUT"
    PENDING_IN = "PENDING_IN"


class JournalKind(StrEnum):
    """What a journal is."""

    OPENING = "OPENING"
    DEPOSIT = "DEPOSIT"
    TRANSFER = "TRANSFER"
    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    REVERSAL = "REVERSAL"
    FEE = "FEE"


class State(StrEnum):
    """What an account lets through."""

    OPEN = "OPEN"
    BLOCK_DEBIT = "BLOCK_DEBIT"
    BLOCK_CREDIT = "BLOCK_CREDIT"
    BLOCKED = "BLOCKED"
    CLOSED = "CLOSED"

    @property
    def lets_out(self) -> bool:
        """Whether new debits pass."""
        return self in {State.OPEN, State.BLOCK_CREDIT}

    @property
    def lets_in(self) -> bool:
        """Whether new credits pass."""
        return self in {State.OPEN, State.BLOCK_DEBIT}


class No(StrEnum):
    """Why the book refuses, surely without effect."""

    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    ACCOUNT_BLOCKED = "ACCOUNT_BLOCKED"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    VALIDATION = "VALIDATION"
    DUPLICATE_MISMATCH = "DUPLICATE_MISMATCH"
    NEVER_SEEN = "NEVER_SEEN"


class Side(StrEnum):
    """Which rule of an account's state an effect has to pass."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"
    PROMISED = "PROMISED"


@dataclass(frozen=True, slots=True)
class Leg:
    """One account's part of a journal, in minor units."""

    account: UUID
    phase: Phase
    amount: int


@dataclass(frozen=True, slots=True)
class Effect:
    """Everything one journal does to one account."""

    account: UUID
    committed: int
    pending_out: int
    pending_in: int
    side: Side

    @property
    def spendable(self) -> int:
        """By how much the spendable figure changes."""
        return self.committed + self.pending_out


@dataclass(frozen=True, slots=True)
class Standing:
    """An account before a journal: what its rules are judged by."""

    currency: str
    state: State
    spendable: int
    floor: int | None


def balanced(legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """Give the legs back, without those that move nothing.

    Raises:
        AssertionError: they do not sum to 0 in total and committed: our mistake.
    """
    committed = (leg.amount for leg in legs if leg.phase is Phase.COMMITTED)
    if sum(leg.amount for leg in legs) != 0 or sum(committed) != 0:
        raise AssertionError("a journal must sum to 0")
    return tuple(leg for leg in legs if leg.amount != 0)


def amount_refusal(amount: int) -> No | None:
    """Say no to an amount that is not between 1 and `AMOUNT_MAX` minor units."""
    return None if 1 <= amount <= AMOUNT_MAX else No.VALIDATION


def transfer(payer: UUID, payee: UUID, amount: int) -> tuple[Leg, ...]:
    """Move committed money from one account to another."""
    return balanced(
        (
            Leg(payer, Phase.COMMITTED, -amount),
            Leg(payee, Phase.COMMITTED, amount),
        )
    )


def hold(payer: UUID, contra: UUID, amount: int) -> tuple[Leg, ...]:
    """Set money aside: the payer cannot spend it, nobody has it yet."""
    return balanced(
        (
            Leg(payer, Phase.PENDING_OUT, -amount),
            Leg(contra, Phase.PENDING_IN, amount),
        )
    )


def release(payer: UUID, contra: UUID, held: int) -> tuple[Leg, ...]:
    """Give the whole of a hold back."""
    return balanced(
        (
            Leg(payer, Phase.PENDING_OUT, held),
            Leg(contra, Phase.PENDING_IN, -held),
        )
    )


def capture(payer: UUID, contra: UUID, held: int, taken: int) -> tuple[Leg, ...]:
    """End a hold by taking all or a part of it; what is not taken is free again."""
    return release(payer, contra, held) + transfer(payer, contra, taken)


def reversal(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """Undo what a journal committed; holds it ended stay ended."""
    return balanced(
        [
            Leg(leg.account, leg.phase, -leg.amount)
            for leg in legs
            if leg.phase is Phase.COMMITTED
        ]
    )


def effects(legs: Sequence[Leg], *, promised: bool = False) -> list[Effect]:
    """Sum legs per account, in the order in which accounts are locked: by id.

    Args:
        legs: of one journal.
        promised: they end a hold, so a block does not stop them.
    """
    sums: dict[UUID, dict[Phase, int]] = {}
    for leg in legs:
        own = sums.setdefault(leg.account, dict.fromkeys(Phase, 0))
        own[leg.phase] += leg.amount
    return [_effect(account, sums[account], promised) for account in sorted(sums)]


def _effect(account: UUID, own: Mapping[Phase, int], promised: bool) -> Effect:  # noqa: FBT001  -- private, one caller
    spendable = own[Phase.COMMITTED] + own[Phase.PENDING_OUT]
    side = Side.DEBIT if spendable < 0 else Side.CREDIT
    return Effect(
        account=account,
        committed=own[Phase.COMMITTED],
        pending_out=own[Phase.PENDING_OUT],
        pending_in=own[Phase.PENDING_IN],
        side=Side.PROMISED if promised else side,
    )


def refusal(
    found: Sequence[Effect], standings: Mapping[UUID, Standing], currency: str
) -> No | None:
    """Say which rule of which account stands in the way, the payer's first.

    Args:
        found: the journal's effects.
        standings: the accounts before the journal; an unknown one is left out.
        currency: of the amount.
    """
    payer_first = sorted(found, key=lambda effect: effect.side is not Side.DEBIT)
    for effect in payer_first:
        standing = standings.get(effect.account)
        if standing is None:
            return No.ACCOUNT_NOT_FOUND
        if standing.currency != currency:
            return No.CURRENCY_MISMATCH
    for effect in payer_first:
        said = _refused_by(effect, standings[effect.account])
        if said is not None:
            return said
    return None


def _refused_by(effect: Effect, standing: Standing) -> No | None:
    if standing.state is State.CLOSED:
        return No.ACCOUNT_CLOSED
    allowed = {
        Side.DEBIT: standing.state.lets_out,
        Side.CREDIT: standing.state.lets_in,
        Side.PROMISED: True,
    }
    if not allowed[effect.side]:
        return No.ACCOUNT_BLOCKED
    if (
        standing.floor is None
        or standing.spendable + effect.spendable >= standing.floor
    ):
        return None
    return No.INSUFFICIENT_FUNDS
