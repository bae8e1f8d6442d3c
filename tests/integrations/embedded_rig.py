"""The embedded core's rig: no partner, no line; the books are our own tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from typing_extensions import override

from app import database
from app.clock import Clock, StoppedClock
from app.ids import CustomerId, uuid7
from app.integrations.core_banking import (
    AccountKind,
    AccountState,
    CanSeed,
    CoreBank,
    CoreCustomer,
    NewAccount,
)
from app.integrations.core_banking.embedded import Settings
from app.integrations.outcome import Ok
from app.money import Money
from tests.conftest import NOON
from tests.integrations.kit.core_bench import an_op
from tests.integrations.kit.rig import Books, CoreRig, Fault


class EmbeddedRig(CoreRig):
    """Accounts made through the core itself, books read from the ledger's tables."""

    clock: Clock = StoppedClock(NOON)
    faults = ()
    our_database = True

    @override
    async def opened(self, core: CoreBank) -> None:
        self._core = core

    @override
    def settings(self, *, away: bool = False, hasty: bool = False) -> Settings:
        assert (away, hasty) == (False, False), "our own book is never away or slow"
        return Settings()

    @override
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        raise AssertionError("there is no line that could break")

    @override
    async def no_faults(self) -> None:
        """Have none to forget."""

    @override
    async def calls(self) -> int:
        return 0

    @override
    async def customer(self) -> CoreCustomer:
        made = CustomerId.new()
        return CoreCustomer(made, f"1{made.value.int % 10**9:09d}")

    @override
    async def account(self, money: Money, customer: CoreCustomer | None = None) -> str:
        core = self._core
        assert isinstance(core, CanSeed)
        owner = customer or await self.customer()
        ref = await core.open_account(
            NewAccount(
                id=uuid7(),
                owner=owner.id,
                kind=AccountKind.CURRENT,
                name="Everyday",
                currency=money.currency,
                masked_number="••••1234",
            )
        )
        if money.minor:
            await core.deposit(an_op(), ref, money, "Cash")
        return ref

    @override
    async def set_state(self, ref: str, state: AccountState) -> None:
        assert await self._core.set_state(an_op(), ref, state) == Ok(None)

    @override
    async def books(self, ref: str) -> Books:
        (account,) = await database.read(
            "SELECT currency, committed, pending_out FROM ledger_balance JOIN "
            "ledger_account ON id = account_id WHERE account_id = $1",
            UUID(ref),
        )
        postings = await database.read(
            "SELECT amount FROM ledger_posting WHERE account_id = $1 "
            "AND phase = 'COMMITTED' ORDER BY version",
            UUID(ref),
        )
        return Books(
            committed=Money(
                account.get("committed", int), account.get("currency", str)
            ),
            held=Money(-account.get("pending_out", int), account.get("currency", str)),
            postings=tuple(row.get("amount", int) for row in postings),
        )


@contextmanager
def core_banking(_folder: Path) -> Iterator[EmbeddedRig]:
    """Give the rig; there is nothing to start."""
    yield EmbeddedRig()
