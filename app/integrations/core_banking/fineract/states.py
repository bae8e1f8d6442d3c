"""Blocking, unblocking and closing accounts at Fineract.

The core has one kind of block at a time, so one is ended before another begins. All
commands of one change go under one key: its scope there is the command.
"""

from app.clock import Clock
from app.integrations.core_banking import AccountState
from app.integrations.core_banking.fineract import questions, wire
from app.integrations.core_banking.fineract.looking import Looking
from app.integrations.core_banking.fineract.sending import (
    ODD,
    Sending,
    Write,
    before_sending,
    is_carried_out,
    refused,
)
from app.integrations.core_banking.fineract.wire import Place
from app.integrations.exchange import Answer, Ask
from app.integrations.outcome import (
    NotSent,
    Ok,
    OpRef,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)

_REASON = {"reasonForBlock": "asked for by the bank"}  # the core wants one
_CLOSE = "close"
_UNBLOCK = {
    AccountState.BLOCKED: "unblock",
    AccountState.BLOCK_DEBIT: "unblockDebit",
    AccountState.BLOCK_CREDIT: "unblockCredit",
}
_MAKE = {
    AccountState.BLOCKED: "block",
    AccountState.BLOCK_DEBIT: "blockDebit",
    AccountState.BLOCK_CREDIT: "blockCredit",
    AccountState.CLOSED: _CLOSE,
}


class States:
    """Changes what may move on accounts.

    Args:
        sending: sends one write.
        clock: the bank's clock.
        place: the core's days.
        looking: reads accounts.
    """

    def __init__(
        self, sending: Sending, clock: Clock, place: Place, looking: Looking
    ) -> None:
        self._sending = sending
        self._clock = clock
        self._place = place
        self._looking = looking

    async def put(self, op: OpRef, ref: str, state: AccountState) -> Outcome[None]:
        """Bring an account into a state; see `CoreBank.set_state`."""
        account = (await before_sending(self._looking.accounts([ref]))).get(ref)
        if account is None:
            return refused(PortCode.ACCOUNT_NOT_FOUND)
        now = wire.state_of(account)
        if now is AccountState.CLOSED and state is not now:
            return refused(PortCode.ACCOUNT_CLOSED)
        if now is state:
            return Ok(None)
        outcome: Outcome[None] = Ok(None)
        wanted = filter(None, (_UNBLOCK.get(now), _MAKE.get(state)))
        for at, command in enumerate(wanted):
            send = self._followed if at else self._command
            outcome = await send(op, ref, command, state)
            if not isinstance(outcome, Ok):
                break
        return outcome

    async def _followed(
        self, op: OpRef, ref: str, command: str, state: AccountState
    ) -> Outcome[None]:
        """Send what follows a command that had its effect: a block is gone already.

        So whatever stops it here, it is no more so that nothing was done.
        """
        try:
            outcome = await self._command(op, ref, command, state)
        except NotSent as kept:
            return Unknown(kept.cause)
        if isinstance(outcome, Rejected):
            return Unknown(f"{command} was refused after a block was ended")
        return outcome

    async def _command(
        self, op: OpRef, ref: str, command: str, state: AccountState
    ) -> Outcome[None]:
        ask = Ask(
            "POST",
            questions.ACCOUNT,
            path={"ref": ref},
            params={"command": command},
            body=self._body(command),
        )

        async def look(_sent_at: object) -> Outcome[None]:
            account = (await self._looking.accounts([ref])).get(ref)
            is_so = account is not None and wire.state_of(account) is state
            return Ok(None) if is_so else Rejected(PortCode.NEVER_SEEN)

        def read(answer: Answer) -> Outcome[None]:
            return Ok(None) if is_carried_out(answer) else ODD

        return await self._sending.send(Write(op, ask, read, look))

    def _body(self, command: str) -> object:
        if command == _CLOSE:
            on = wire.today(self._clock.now(), self._place.zone)
            return {**wire.DAYS, "closedOnDate": on.isoformat()}
        return _REASON if command in _MAKE.values() else {}
