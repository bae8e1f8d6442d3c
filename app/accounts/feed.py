"""Keeps the mirror of a remote core young: by looking, never by waiting for it.

Cold is looked at while the customer waits, all accounts at once; warm is answered from
the mirror, and what is older than 30 seconds is looked at behind the answer.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from app import database, telemetry
from app.accounts import due, mirror
from app.accounts.account import Account
from app.accounts.imprint import Imprint
from app.accounts.looks import TOGETHER, Looks, RemoteCore
from app.accounts.mirror import Standing
from app.clock import Clock
from app.database import Tx
from app.errors import NotFound, Outage
from app.ids import AccountId, CustomerId
from app.integrations.core_banking import (
    CanHint,
    CoreBalance,
    Look,
    OlderRows,
)
from app.integrations.outcome import ContractBroken

FRESH = timedelta(seconds=30)
STALE = timedelta(minutes=5)
HINT_REST_S = 2.0
WATCHED_EVERY_S = 5.0
_COLD_WAIT_S = 5.0  # how long a customer waits for a first look
_SURE_WAIT_S = 4.0  # same, for the figures of a decision; an operation has 10 s
_OWN_WAIT_S = 1.0  # same, for the look after an own write


class Feed(Looks):
    """Looks at the accounts of a remote core. One per process.

    Args:
        core: the remote core.
        hints: what reads its calls, if it calls.
        core_name: of its adapter, as accounts keep it.
        clock: the bank's clock.
    """

    def __init__(
        self,
        *,
        core: RemoteCore,
        core_name: str,
        clock: Clock,
        hints: object = None,
    ) -> None:
        super().__init__(core, clock)
        self._core_name = core_name
        self._hints = hints
        self._resting: set[AccountId] = set()

    def is_stale(self, standing: Standing) -> bool:
        """Tell whether figures are too old to be shown without a word."""
        return self.away or self._clock.now() - standing.polled_at > STALE

    # -------------------------------------------------------------- reads

    async def standings(self, accounts: Sequence[Account]) -> dict[AccountId, Standing]:
        """Give how accounts stand; look first at those never seen, else behind.

        Those of which nothing can be known now are left out.

        Raises:
            Outage: our database does not answer.
        """
        ids = [account.id for account in accounts]
        found = await mirror.standings(ids)
        if not self.looks_at([one for one in ids if one not in found]):
            # A look may have ended while we read.
            found |= await mirror.standings([one for one in ids if one not in found])
        cold = [account for account in accounts if account.id not in found]
        awaited = [
            account
            for account in accounts
            if account.id in found
            and found[account.id].dirty
            and account.id in self._looking
        ]
        if cold:
            await self.looked(cold, _COLD_WAIT_S)
        if awaited:
            await self.looked(awaited, _OWN_WAIT_S)
        if cold or awaited:
            again = [account.id for account in (*cold, *awaited)]
            found |= await mirror.standings(again)
        self._behind(accounts, found)
        return found

    async def now(self, account: Account) -> CoreBalance | None:
        """Look at one account now; None: the core does not know it.

        The look goes on when the answer comes too late: its end is the breaker's.

        Raises:
            Outage: the core does not answer, or not within 4 s.
        """
        looks: list[Look] = []
        outages: list[Outage] = []

        async def work() -> None:
            try:
                looks.extend(await self.seen([account]))
            except Outage as outage:
                outages.append(outage)

        task = self.start(work(), "feed.now")
        if task is not None:
            await asyncio.wait({task}, timeout=_SURE_WAIT_S)
        if outages:
            raise outages[0]
        if task is None or not task.done():
            raise Outage("the core answers too late", component="ACCOUNTS")
        return next((look.balance for look in looks), None)

    async def known_until(self, refs: Sequence[str]) -> dict[str, datetime]:
        """Tell when accounts were seen last, as far as their history is whole.

        Raises:
            Outage: our database does not answer.
        """
        return await due.whole_until(self._core_name, refs)

    def _behind(
        self, accounts: Sequence[Account], found: dict[AccountId, Standing]
    ) -> None:
        """Look behind the answer at what is old; note who is asked for today."""
        now, today = self._clock.now(), self._clock.today()
        known = [account for account in accounts if account.id in found]
        self.soon(
            account
            for account in known
            if found[account.id].dirty or now - found[account.id].polled_at > FRESH
        )
        unused = [one.id for one in known if found[one.id].used_on != today]
        if unused:
            self.start(due.used(unused, today), "feed.used")

    # -------------------------------------------------------------- looking

    async def touched(self, refs: Sequence[str]) -> None:
        """Mark accounts written to, and look at them behind; never fails its caller."""
        try:
            found = await due.of_core(self._core_name, refs)
            if found:
                await due.dirty([one.id for one in found], self._clock.now())
        except Outage as outage:
            telemetry.log.warning("accounts_not_marked", cause=outage.cause)
            return
        self.soon(found, anew=True)

    async def called(self, core_name: str, secret: str, body: bytes) -> None:
        """Take a call of the core that says that something changed.

        Raises:
            NotFound: another core, or another secret; nothing is marked.
            Outage: our database does not answer.
        """
        if core_name != self._core_name or not isinstance(self._hints, CanHint):
            raise NotFound
        ref = self._hints.hinted(secret, body)
        if ref is not None:
            await self.hinted(ref)

    async def hinted(self, ref: str) -> None:
        """Take a hint that an account changed: marked, one look in two seconds.

        Raises:
            Outage: our database does not answer.
        """
        found = await due.of_core(self._core_name, [ref])
        await due.dirty([one.id for one in found], self._clock.now())
        for account in found:
            if account.id not in self._resting:
                self._resting.add(account.id)
                self.soon([account], anew=True)
                self.start(self._rested(account), "feed.rest")

    async def _rested(self, account: Account) -> None:
        """Look once more after the rest, if another hint came meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HINT_REST_S):
                await self._leaving.wait()
        self._resting.discard(account.id)
        standing = (await mirror.standings([account.id])).get(account.id)
        if standing is not None and standing.dirty:
            self.soon([account])

    # -------------------------------------------------------------- polls

    async def follow(self, customers: Callable[[], Sequence[CustomerId]]) -> None:
        """Look at the accounts of customers with a live socket here, every 5 s.

        Args:
            customers: gives them, now.
        """
        while True:
            await asyncio.sleep(WATCHED_EVERY_S)
            await self.watch(customers())

    async def watch(self, customers: Sequence[CustomerId]) -> None:
        """Look behind at the accounts of customers that were not seen for 5 s.

        Raises:
            Outage: our database does not answer.
        """
        before = self._clock.now() - timedelta(seconds=WATCHED_EVERY_S)
        self.soon(await due.of_customers(self._core_name, customers, before))

    async def poll(self) -> int:
        """Look at what is due: used today after 60 s, others after an hour.

        Gives with how many accounts that was tried; a worker comes again.

        Raises:
            Outage: the core, or our database, does not answer.
        """
        recently = self._clock.now() - due.OTHERS_EVERY
        wanted = [
            account
            for account in await due.by_time(self._core_name, self._clock)
            if self._missing.get(account.id, recently) <= recently
        ]
        for start in range(0, len(wanted), TOGETHER):
            await self.seen(wanted[start : start + TOGETHER])
        return len(wanted)

    async def history(self) -> int:
        """Fetch one page of history of each account that lacks some; gives how many.

        Raises:
            Outage: the core, or our database, does not answer.
        """
        wanted = await due.with_history(self._core_name)
        done = 0
        for account, place in wanted:
            try:
                older = await self._core.older(account.ref, place)
            except ContractBroken as broken:  # of this account: others go on
                telemetry.log.error("history_not_read", cause=broken.cause)
                continue
            await self._written(account, older, place)
            done += 1
        return done

    async def _written(self, account: Account, older: OlderRows, place: str) -> None:
        async def work(tx: Tx) -> bool:
            return await Imprint(tx, account, self._clock).history(older, place)

        await database.transaction(work, name="feed.history")
