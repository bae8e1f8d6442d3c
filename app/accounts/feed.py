"""Keeps the mirror of a remote core young: by looking, never by waiting for it.

Cold is looked at while the customer waits, all accounts at once; warm is answered from
the mirror, and what is older than 30 seconds is looked at behind the answer. Written to
since the last look is looked at once more, for a moment, and is stale until then.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from app import database, telemetry
from app.accounts import due, mirror
from app.accounts.account import Account
from app.accounts.imprint import Imprint
from app.accounts.looks import TOGETHER, Looks, RemoteCore, Sight
from app.accounts.mirror import Standing
from app.clock import Clock
from app.database import Tx
from app.errors import NotFound, Outage
from app.ids import AccountId, CustomerId
from app.integrations.core_banking import CanHint, CoreBalance, Look
from app.integrations.outcome import ContractBroken

FRESH = timedelta(seconds=30)
STALE = timedelta(minutes=5)
HINT_REST_S = 2.0
_RESTING_MAX = 1000  # accounts hinted at in that time
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
        self._read_last: AccountId | None = None  # whose history was read last

    def is_stale(self, standing: Standing) -> bool:
        """Tell whether figures are too old, or of before a write, to be shown plain."""
        too_old = self._clock.now() - standing.polled_at > STALE
        return self.away or standing.dirty or too_old

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
        written, ended = self._written(accounts, found), True
        if cold or written:
            _, ended = await asyncio.gather(
                self.looked(cold, _COLD_WAIT_S), self.looked(written, _OWN_WAIT_S)
            )
            again = [account.id for account in (*cold, *written)]
            found |= await mirror.standings(again)
        # A look may have begun before the write; the next one did not.
        late = [one for one in self._written(written, found) if self.looks_at([one.id])]
        if ended and late:
            await self.looked(late, _OWN_WAIT_S)
            found |= await mirror.standings([account.id for account in late])
        asked = {account.id for account in written}
        self._behind([one for one in accounts if one.id in found], found, asked)
        return found

    def _written(
        self, accounts: Sequence[Account], found: dict[AccountId, Standing]
    ) -> list[Account]:
        """Give those written to, by any process, whose look is worth a wait."""
        return [
            account
            for account in accounts
            if account.id in found
            and found[account.id].dirty
            and (account.id in self._looking or not self.away)
        ]

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
                looks.extend((await self.seen([account])).looks)
            except Outage as outage:
                outages.append(outage)

        task = self.start(work(), "feed.now", counted=False)
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
        self,
        known: Sequence[Account],
        found: dict[AccountId, Standing],
        asked: set[AccountId],
    ) -> None:
        """Look behind the answer at what is old; note who is asked for today.

        Args:
            known: accounts that were asked for.
            found: how they stand.
            asked: those at which was looked just now.
        """
        now, today = self._clock.now(), self._clock.today()
        self.soon(
            account
            for account in known
            if account.id not in asked
            and (found[account.id].dirty or now - found[account.id].polled_at > FRESH)
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

        Where too many rest, it is only marked: a poll comes to it.

        Raises:
            Outage: our database does not answer.
        """
        found = await due.of_core(self._core_name, [ref])
        await due.dirty([one.id for one in found], self._clock.now())
        for account in found:
            if account.id in self._resting or len(self._resting) >= _RESTING_MAX:
                continue
            self.soon([account], anew=True)
            rest = self._rested(account)
            if self.start(rest, "feed.rest", counted=False) is not None:
                self._resting.add(account.id)

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
        """Look at what is due: written to, used today after 60 s, others after an hour.

        Gives with how many accounts that was tried; a worker comes again.

        Raises:
            Outage: the core, or our database, does not answer.
        """
        wanted = await due.by_time(self._core_name, self._clock)
        tried = 0
        for start in range(0, len(wanted), TOGETHER):
            tried += await self._polled(wanted[start : start + TOGETHER])
        return tried

    async def _polled(self, accounts: Sequence[Account]) -> int:
        """Look at accounts; mark those of which nothing was seen, for they stay due.

        Gives of how many that was tried. What was left is not marked: it waits for the
        core, not for an hour.
        """
        asked_at = self._clock.now()
        sight = Sight([])
        try:
            sight = await self.seen(accounts)
        except ContractBroken as broken:  # of the only one
            telemetry.log.error("account_not_read", cause=broken.cause)
        seen = {look.ref for look in sight.looks}
        left = {account.id for account in sight.left}
        tried = [account for account in accounts if account.id not in left]
        await due.tried([one.id for one in tried if one.ref not in seen], asked_at)
        return len(tried)

    async def history(self) -> int:
        """Fetch a page of history of up to 20 accounts in turn; gives of how many.

        The next call goes on behind them: those that cannot be read stop no other.

        Raises:
            Outage: the core, or our database, does not answer.
        """
        wanted = await due.with_history(self._core_name, self._read_last)
        if not wanted and self._read_last is not None:
            wanted = await due.with_history(self._core_name)
        return sum([await self._read(account, place) for account, place in wanted])

    async def _read(self, account: Account, place: str) -> bool:
        """Fetch a page of an account's history; gives whether it could be read."""
        self._read_last = account.id
        try:
            older = await self._core.older(account.ref, place)
        except ContractBroken as broken:
            telemetry.log.error("history_not_read", cause=broken.cause)
            return False

        async def work(tx: Tx) -> bool:
            return await Imprint(tx, account, self._clock).history(older, place)

        await database.transaction(work, name="feed.history")
        return True
