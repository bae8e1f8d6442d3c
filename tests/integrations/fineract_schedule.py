"""One random walk over the port of a core: ops, faults, repeats, and what it must be.

The seed decides everything but ids. What a walk believes in the end is held against the
core's own book: each op that is Ok has its effect once, each other one has none.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from app.clock import Clock, StoppedClock
from app.errors import Outage
from app.integrations.core_banking import CoreBank, Hold, OpContext, OpKind
from app.integrations.outcome import (
    NotSent,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from tests.integrations.fineract_rig import FineractRig
from tests.integrations.fineract_world import RENT, an_op, inr

STEPS, ACCOUNTS, MONEY = 5, 2, 10_000
TRIES = 40
WAIT_MIN = 6  # minutes that pass before a key under way is sent again
ROUTES = ("/v1/accounttransfers", "/v1/interoperation/transfers", "/v1/batches")
FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "drop-before-work"},
    {"kind": "drop-after-work"},
    {"kind": "drop-after-work"},
    {"kind": "malformed-json"},
    {"kind": "http-status", "reply": 500},
    {"kind": "http-status", "reply": 503},
    {"kind": "http-status", "reply": 425},
    {"kind": "http-status", "reply": 401},
    {"kind": "latency", "latency_ms": 2},
)


@dataclass(slots=True)
class Move:
    """One op of a walk, and what is known of it."""

    op: OpRef
    kind: OpKind
    src: str
    dst: str | None
    minor: int
    context: OpContext
    hold: Hold | None = None
    outcome: Outcome[Any] | None = None

    @property
    def is_known(self) -> bool:
        """Tell whether its outcome is final."""
        return isinstance(self.outcome, Ok | Rejected)

    @property
    def happened(self) -> bool:
        """Tell whether it had its effect."""
        return isinstance(self.outcome, Ok)


@dataclass(slots=True)
class Walk:
    """A walk over accounts of its own.

    Args:
        core: the adapter.
        rig: the double.
        clock: of the adapter; moved while keys are under way.
        chance: of the seed.
        refs: the accounts.
    """

    core: CoreBank
    rig: FineractRig
    clock: StoppedClock
    chance: Random
    refs: list[str]
    moves: list[Move] = field(default_factory=list)
    unsure: int = 0
    turned: bool = False

    async def walk(self) -> None:
        """Do everything, then find out what became of it."""
        for _ in range(STEPS):
            self._fault()
            await self._step()
        await self.rig.no_faults()
        if self.turned:
            self.rig.turn(conflicts=0, stuck=0)
        for move in self.moves:
            await self._resolve(move)

    # ------------------------------------------------------------------ steps

    def _fault(self) -> None:
        """Let something go wrong about every other time."""
        throw = self.chance.random()
        if throw < 0.45:
            route = self.chance.choice(ROUTES[:2] + ROUTES)
            self.rig.rule(route, **self.chance.choice(FAULTS), count=1)
        elif throw < 0.53:
            self.turned = True
            self.rig.turn(**{"conflicts" if throw < 0.50 else "stuck": 1})

    async def _step(self) -> None:
        open_moves = [one for one in self.moves if not one.is_known]
        throw = self.chance.random()
        if open_moves and throw < 0.3:
            await self._ask(self.chance.choice(open_moves))
        elif open_moves and throw < 0.45:
            await self._send(self.chance.choice(open_moves))
        else:
            move = self._new()
            self.moves.append(move)
            await self._send(move)

    def _new(self) -> Move:
        holds = self._open_holds()
        if holds and self.chance.random() < 0.6:
            return self._end(self.chance.choice(holds))
        src, dst = self.chance.sample(self.refs, 2)
        is_hold = self.chance.random() < 0.5
        kind = OpKind.HOLD if is_hold else OpKind.TRANSFER
        minor = self.chance.randint(1, MONEY // 2)
        return self._move(kind, src, None if is_hold else dst, minor)

    def _end(self, held: Move) -> Move:
        hold = Hold(held.op.id, held.src, inr(held.minor))
        kind = self.chance.choice((OpKind.CAPTURE, OpKind.RELEASE))
        return self._move(kind, held.src, None, held.minor, hold)

    def _open_holds(self) -> list[Move]:
        """Give holds that nobody began to end: never both, as in the bank."""
        ended = {one.hold.id for one in self.moves if one.hold and self._may_count(one)}
        return [
            one
            for one in self.moves
            if one.kind is OpKind.HOLD and one.happened and one.op.id not in ended
        ]

    def _may_count(self, move: Move) -> bool:
        return not isinstance(move.outcome, Rejected)

    def _move(
        self,
        kind: OpKind,
        src: str,
        dst: str | None,
        minor: int,
        hold: Hold | None = None,
    ) -> Move:
        earlier = None if hold is None else hold.id
        context = OpContext(src, dst, inr(minor), Clock().now(), earlier)
        return Move(an_op(), kind, src, dst, minor, context, hold)

    # ------------------------------------------------------------------ asking

    async def _send(self, move: Move) -> None:
        try:
            found = await self._sent(move)
        except NotSent as kept:
            found = Unknown(kept.cause)
        self._learn(move, found)

    async def _sent(self, move: Move) -> Outcome[Any]:
        amount, core = inr(move.minor), self.core
        match move.kind:
            case OpKind.TRANSFER:
                assert move.dst is not None
                return await core.transfer(move.op, move.src, move.dst, amount, RENT)
            case OpKind.HOLD:
                return await core.hold(move.op, move.src, amount, RENT)
            case OpKind.CAPTURE:
                assert move.hold is not None
                return await core.capture(move.op, move.hold, None)
            case _:
                assert move.hold is not None
                return await core.release(move.op, move.hold)

    async def _ask(self, move: Move) -> bool:
        """Look it up; tells whether it was surely not there."""
        try:
            found = await self.core.lookup(move.op, move.kind, move.context)
        except Outage:
            return False
        if isinstance(found, Rejected) and found.code is PortCode.NEVER_SEEN:
            return True
        self._learn(move, found)
        return False

    def _learn(self, move: Move, found: Outcome[Any]) -> None:
        """Take an outcome; a final one never turns into its opposite."""
        if move.is_known and isinstance(found, Ok | Rejected):
            assert isinstance(found, type(move.outcome)), (move, found)
        if not move.is_known:
            self.unsure += isinstance(found, Unknown) and move.outcome is None
            move.outcome = found

    async def _resolve(self, move: Move) -> None:
        """Do as the bank does: look it up, and send the same op where it is absent."""
        for _ in range(TRIES):
            if move.is_known:
                return
            if await self._ask(move):
                await self._send(move)
            self.clock.move(minutes=WAIT_MIN)
        raise AssertionError(f"nobody knows what became of {move}")

    # ------------------------------------------------------------------ books

    def differs(self, accounts: dict[str, Any]) -> list[str]:
        """Hold what was believed against the book; gives what is not so."""
        found: list[str] = []
        for ref in self.refs:
            found += self._figures(ref, accounts[ref])
        rows = [(ref, row) for ref in self.refs for row in accounts[ref]["rows"]]
        for move in self.moves:
            if not move.happened and self._was_freed_by_another(move):
                continue
            effects = sum(_is_of(move, ref, row) for ref, row in rows)
            if effects != (1 if move.happened else 0):
                found.append(f"{effects} effects of {move}")
        known = {str(move.op.id) for move in self.moves}
        strange = [row for _, row in rows if row["tag"] and row["tag"] not in known]
        return found + [f"a row of nobody: {row}" for row in strange]

    def _was_freed_by_another(self, move: Move) -> bool:
        """Tell whether another end of the same hold left the row that this has."""
        return move.kind is OpKind.RELEASE and any(
            one.hold == move.hold and one.happened for one in self.moves
        )

    def _figures(self, ref: str, account: dict[str, Any]) -> list[str]:
        done = [move for move in self.moves if move.happened]
        booked, held = MONEY, 0
        for move in done:
            moves_money = move.kind in {OpKind.TRANSFER, OpKind.CAPTURE}
            if moves_money:
                booked -= move.minor if move.src == ref else 0
                booked += move.minor if move.dst == ref else 0
            if move.src == ref:
                signs = {OpKind.HOLD: 1, OpKind.CAPTURE: -1, OpKind.RELEASE: -1}
                held += signs.get(move.kind, 0) * move.minor
        told = account["minor"], account["held"]
        return [] if told == (booked, held) else [f"{told} is not {(booked, held)}"]


def _is_of(move: Move, ref: str, row: dict[str, Any]) -> bool:
    """Tell whether a row of the book is the effect of a move."""
    match move.kind:
        case OpKind.HOLD:
            is_it = row["kind"] == "amountHold"
            return bool(is_it and row["transferCode"] == str(move.op.id))
        case OpKind.RELEASE:
            assert move.hold is not None
            is_it = row["kind"] == "amountHold" and row["released"] > 0
            return bool(is_it and row["transferCode"] == str(move.hold.id))
        case _:
            return bool(row["tag"] == str(move.op.id) and ref == move.src)
