"""The books are proved again and again; a broken proof stops all postings.

Each round proves what changed since the last good one, and everything besides as long
as that is quick: so a figure that was changed behind the bank's back is found within a
round. In a bank too large for that everything is proved each night. What is wrong stops
postings through the core's own port, and every process tells its phones. Only
`python -m app unfreeze` lets them go on. Source: banking.md section 2.5.
"""

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from app import audit, database, telemetry
from app.auth.standing import Staff
from app.bank import Bank
from app.database import Proof, Tx
from app.errors import NotSupported, Outage
from app.ids import request_id
from app.integrations.core_banking import CanProve
from app.payments import concord

QUICK_S = 0.5  # a proof of everything that took no longer runs in each round
NIGHT_H = 2  # from this hour of the bank's day on everything is proved, once a day
_NIGHTLY = "proving.night"
_MARGIN = timedelta(seconds=5)
_BEGINNING = datetime(2000, 1, 1).astimezone()


class Prover:
    """Proves the books of one bank; remembers how long each proof took.

    Args:
        bank: whose.
    """

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._took_s: dict[str, float] = {}
        self._asked_to = UUID(int=0)
        self._wrong_at_night: set[str] = set()

    async def round(self) -> None:
        """Prove what changed since each proof's last good run, or everything."""
        for proof in self._bank.proofs():
            await self._tried(proof.name, self._lately(proof), freezes=proof.freezes)
        await self._tried(concord.NAME, self._sample(), freezes=True)

    async def _tried(
        self, name: str, proving: Awaitable[int], *, freezes: bool, night: bool = False
    ) -> None:
        """Judge one proof; one that the database is too slow for stops no other.

        What a night found is not taken back by a round that looks at less.
        """
        now = self._bank.clock.now()
        try:
            rows = await proving
        except Outage as outage:
            telemetry.log.error("proof_not_run", proof=name, cause=outage.cause)
            return
        looked_at_all = night or self._took_s.get(name, 0) <= QUICK_S
        if rows or looked_at_all or name not in self._wrong_at_night:
            await self._judge(name, rows, now, freezes=freezes)
        if night:
            change = self._wrong_at_night.add if rows else self._wrong_at_night.discard
            change(name)

    async def _lately(self, proof: Proof) -> int:
        """Count what is broken of what changed since the last good run, or in all."""
        rows = await database.read(proof.since, await _mark(proof.name) - _MARGIN)
        if rows or self._took_s.get(proof.name, 0) > QUICK_S:
            return len(rows)
        return await self._whole_if_quick(proof)

    async def _sample(self) -> int:
        """Ask the core about what was answered lately, and about the next of the rest.

        A bank with few payments is thus asked about all of them in each round.
        """
        said = await concord.lately(await _mark(concord.NAME) - _MARGIN)
        rest = await concord.after(self._asked_to, concord.ROUND)
        whole = len(rest) < concord.ROUND
        self._asked_to = UUID(int=0) if whole else rest[-1].ref.id
        both = {one.ref.id: one for one in (*said, *rest)}
        return len(await _differing(self._bank, list(both.values())))

    async def night(self) -> None:
        """Prove everything once a day, when the bank is quiet; asked often."""
        local = self._bank.clock.now().astimezone(self._bank.clock.zone)
        begins = local.replace(hour=NIGHT_H, minute=0, second=0, microsecond=0)
        if local < begins or await _mark(_NIGHTLY) >= begins:
            return
        for proof in self._bank.proofs():
            whole = _everything(proof)
            await self._tried(proof.name, whole, freezes=proof.freezes, night=True)
        await self._tried(concord.NAME, _discord(self._bank), freezes=True, night=True)
        await _remember(_NIGHTLY, self._bank.clock.now())

    async def _whole_if_quick(self, proof: Proof) -> int:
        """Prove everything unless it takes too long; then nights do it from now on."""
        began = self._bank.clock.monotonic()
        try:
            rows = await database.read(proof.full)
        except Outage:
            self._took_s[proof.name] = QUICK_S * 2
            return 0
        self._took_s[proof.name] = self._bank.clock.monotonic() - began
        return len(rows)

    async def _judge(
        self, name: str, rows: int, good_until: datetime, *, freezes: bool
    ) -> None:
        telemetry.coherent.labels(name).set(0 if rows else 1)
        if not rows:
            await _remember(name, good_until)
            return
        telemetry.log.error("proof_broken", proof=name, rows=rows)
        if freezes:
            await stop(self._bank, name, rows)


async def _everything(proof: Proof) -> int:
    return len(await database.read_whole(proof.full))


async def whole(bank: Bank) -> list[str]:
    """Prove everything; gives the names of the broken proofs."""
    found = [
        proof.name for proof in bank.proofs() if await database.read_whole(proof.full)
    ]
    return found + ([concord.NAME] if await _discord(bank) else [])


async def stop(bank: Bank, proof: str, rows: int) -> None:
    """Stop all postings and tell every process; once, however often it is found."""
    if not isinstance(bank.core, CanProve):
        return
    if not await bank.core.freeze(f"proof {proof} found {rows} broken rows"):
        return
    await audit.alone(
        audit.Entry(
            action="ledger.frozen",
            at=bank.clock.now(),
            request_id=request_id(),
            detail={"proof": proof, "rows": rows},
        )
    )
    bank.board.call()


async def let_go(bank: Bank, staff: Staff) -> list[str]:
    """Allow postings again if every proof holds; gives the names of those that do not.

    Args:
        bank: whose postings.
        staff: who decides, and why; both are kept.

    Raises:
        NotSupported: the core keeps its own book, so nothing here stops its postings.
    """
    if not isinstance(bank.core, CanProve):
        raise NotSupported(
            "The core keeps its own book: nothing here stops or allows its postings."
        )
    broken = await whole(bank)
    if broken:
        return broken
    await bank.core.unfreeze(staff.reason)
    await audit.alone(staff.entry("ledger.unfrozen", bank.clock.now()))
    bank.board.call()
    return []


async def _discord(bank: Bank) -> int:
    """Ask the core about every operation of every payment; gives how many differ."""
    count, last = 0, UUID(int=0)
    while said := await concord.after(last):
        count += len(await _differing(bank, said))
        last = said[-1].ref.id
    return count


async def _differing(bank: Bank, said: Sequence[concord.Said]) -> list[UUID]:
    return await concord.differing(bank.core, bank.sheet, said)


async def _mark(name: str) -> datetime:
    row = await database.read_one(
        "SELECT mark FROM proof_watermark WHERE name = $1", name
    )
    return row.get("mark", datetime) if row else _BEGINNING


async def _remember(name: str, now: datetime) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO proof_watermark (name, mark, at) VALUES ($1, $2, $2) "
            "ON CONFLICT (name) DO UPDATE SET mark = excluded.mark, at = excluded.at "
            "RETURNING name",
            name,
            now,
        )

    await database.transaction(work, name="proving.mark")
