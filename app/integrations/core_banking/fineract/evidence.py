"""What became of an operation, by what the core shows of it. Nothing here has effects.

The order is that of banking.md section 6.2. Its first step, sending the same key again,
is the caller's: he alone knows whether the operation is still wanted. "Never seen" is
said only when every place was looked at and was empty.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

from app.clock import Clock
from app.integrations.core_banking import Hold, OpContext, OpKind, Posting
from app.integrations.core_banking.fineract import wire
from app.integrations.core_banking.fineract.looking import Looking, Seen
from app.integrations.core_banking.fineract.questions import Questions
from app.integrations.core_banking.fineract.recent import Recent
from app.integrations.core_banking.fineract.rows import op_of
from app.integrations.core_banking.fineract.stuck import PATIENCE
from app.integrations.exchange import Ask
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected, Unknown

T = TypeVar("T")

Happened = Posting | Hold | None

TRANSFERS = "/v1/accounttransfers"
INTEROP = "/v1/interoperation/transactions/{transaction}/transfers/{transfer}"
AUDITS = "/v1/audits"
AUDIT = "/v1/audits/{id}"
_NEWEST = 100  # transfers of the whole core; the rows of the account tell the rest
_DAY = timedelta(days=1)
# How long before it was sent an operation may have left something: a release shows on
# the row of its hold, a reversal on the row that it undoes.
_BEFORE: Mapping[OpKind, timedelta] = MappingProxyType(
    {OpKind.RELEASE: 30 * _DAY, OpKind.REVERSE: 90 * _DAY}
)
# Action and entity of the core's command.
_COMMANDS: Mapping[OpKind, tuple[str, str]] = MappingProxyType(
    {
        OpKind.TRANSFER: ("CREATE", "ACCOUNTTRANSFER"),
        OpKind.HOLD: ("PREPARE", "INTERTRANSFER"),
        OpKind.CAPTURE: ("CREATE", "INTERTRANSFER"),
        OpKind.RELEASE: ("RELEASE", "INTERTRANSFER"),
    }
)
_AUDITED = timedelta(minutes=5), timedelta(minutes=15)  # before and after it was sent
_AUDITS_MAX = 200
_KEPT = 20_000
_NAME = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NOT_DONE = "error", "rejected", "invalid", "awaiting"  # words of its results
_INSTANT = "yyyy-MM-dd HH:mm:ss"


class Evidence:
    """Looks operations up.

    Args:
        questions: asks the core.
        looking: reads rows.
        zone: of the core's days.
        clock: the bank's clock.
    """

    def __init__(
        self, questions: Questions, looking: Looking, zone: ZoneInfo, clock: Clock
    ) -> None:
        self._ask = questions
        self._looking = looking
        self._zone = zone
        self._clock = clock
        self._names: Recent[str, frozenset[str]] = Recent(_KEPT)  # never change

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Happened]:
        """Tell what became of an operation.

        Raises:
            Outage: the core does not tell at the moment.
        """
        if wire.named(context.src) is None:
            return Rejected(PortCode.NEVER_SEEN)
        found: Ok[Happened] | Unknown | None = await self._named(op, kind, context)
        if found is None:
            found = await self._shown(op, kind, context)
        if found is None:
            found = await self._audited(op, kind, context)
        return found or Rejected(PortCode.NEVER_SEEN)

    async def row_of(self, ref: str, op: Posting) -> Seen | None:
        """Find the row that a posting of ours put on an account.

        Raises:
            Outage: as above.
        """
        day = wire.today(op.booked_at - _DAY, self._zone)
        for one in await self._looking.since(ref, day):
            if not one.row.is_hold and op_of(one.row, one.detail) == op.journal:
                return one
        return None

    # ------------------------------------------------------------------ places

    async def _named(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Ok[Happened] | None:
        """Ask by the name of the operation, where the core has one."""
        if kind is OpKind.TRANSFER:
            return await self._listed(op)
        if kind is not OpKind.HOLD:  # the answer is the same before and after the end
            return None
        code = {"transaction": str(op.id), "transfer": str(op.id)}
        told = await self._ask.one(Ask("GET", INTEROP, path=code, op_id=op.id))
        if not isinstance(told, Mapping) or told.get("state") != "ACCEPTED":
            return None  # some versions answer nothing at all
        return Ok(Hold(op.id, context.src, context.amount))

    async def _listed(self, op: OpRef) -> Ok[Happened] | None:
        """Look among the newest transfers of the core."""
        newest = {"orderBy": "id", "sortOrder": "DESC", "limit": str(_NEWEST)}
        told = await self._ask.one(
            Ask("GET", TRANSFERS, params={"offset": "0", **newest}, op_id=op.id)
        )
        page = wire.record(told, "a page of transfers").get("pageItems")
        for value in page if isinstance(page, list) else ():
            one = wire.record(value, "a transfer")
            mark = wire.tagged(one.get("transferDescription"))
            if mark is not None and mark.op == op.id:
                on = wire.day(one.get("transferDate"), "a transfer's day")
                number = wire.number(one.get("id"), "a transfer's id")
                posting = Posting(op.id, wire.midnight(on, self._zone))
                return Ok(posting, str(number))
        return None

    async def _shown(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Ok[Happened] | None:
        """Look among the rows of the payer's account."""
        sent = context.first_sent_at - _BEFORE.get(kind, _DAY)
        rows = await self._looking.since(context.src, wire.today(sent, self._zone))
        match kind:
            case OpKind.HOLD:
                return _held(op, context, rows)
            case OpKind.RELEASE:
                return _released(op, context, rows)
            case OpKind.REVERSE:
                return self._undone(op, context, rows)
            case _:
                return self._booked(op, context, rows)

    def _booked(
        self, op: OpRef, context: OpContext, rows: Sequence[Seen]
    ) -> Ok[Happened] | None:
        """Find the row of a transfer or capture; without our mark, by its hold."""
        for row, detail in rows:
            if row.is_hold or row.is_release:
                continue
            ends = detail.tag is None and row.code == str(context.earlier)
            if ends or op_of(row, detail) == op.id:
                at = wire.midnight(row.value_on, self._zone)
                number = None if detail.transfer is None else str(detail.transfer)
                return Ok(Posting(op.id, at), number)
        return None

    def _undone(
        self, op: OpRef, context: OpContext, rows: Sequence[Seen]
    ) -> Ok[Happened] | None:
        """Find the row that a reversal undid: it says so; or the transfer back."""
        for row, detail in rows:
            made = op_of(row, detail)
            if made == op.id or (row.is_reversed and made and made == context.earlier):
                return Ok(Posting(op.id, wire.midnight(row.value_on, self._zone)))
        return None

    async def _audited(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Ok[Happened] | Unknown | None:
        """Look for a command of ours that the core carried out.

        The rows of holds and releases have no names, so the audit's word is enough for
        these; a booked movement must be in the books.
        """
        if kind not in _COMMANDS:
            return None
        named = await self._commands(op, kind, context)
        if any(not _is_under_way(one) for one in named):
            match kind:
                case OpKind.HOLD:
                    return Ok(Hold(op.id, context.src, context.amount))
                case OpKind.RELEASE:
                    return Ok(None)
                case _:
                    return Unknown("the audit names it, the books do not show it")
        is_young = self._clock.now() - context.first_sent_at < PATIENCE
        return Unknown("the core still works on it") if named and is_young else None

    async def _commands(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> list[wire.Json]:
        """Give the commands of ours that were not refused."""
        told = await self._ask.one(_commands_of(op, kind, context))
        entries = {_id(one): one for one in _entries(told)}
        await self._learn(entries)
        name = str(op.id)
        return [
            one
            for number, one in entries.items()
            if name in (self._names.get(number) or ()) and not _is_refused(one)
        ]

    async def _learn(self, entries: Mapping[str, wire.Json]) -> None:
        """Read whom commands name, those that are not remembered in one call."""
        lacking = [one for one in entries if self._names.get(one) is None]
        silent = [one for one in lacking if not entries[one].get("commandAsJson")]
        whole = await self._ask.several(
            [Ask("GET", AUDIT, path={"id": number}) for number in silent]
        )
        told = dict(entries) | dict(zip(silent, whole, strict=True))
        for number in lacking:
            one = told[number]
            text = one.get("commandAsJson") if isinstance(one, Mapping) else None
            self._names.put(number, frozenset(_NAME.findall(str(text))))


def _commands_of(op: OpRef, kind: OpKind, context: OpContext) -> Ask:
    """Ask for the commands of a kind that were given about then, in the core's UTC."""
    action, entity = _COMMANDS[kind]
    before, after = _AUDITED
    sent = context.first_sent_at.astimezone(UTC)
    return Ask(
        "GET",
        AUDITS,
        params={
            "actionName": action,
            "entityName": entity,
            "makerDateTimeFrom": f"{sent - before:%Y-%m-%d %H:%M:%S}",
            "makerDateTimeTo": f"{sent + after:%Y-%m-%d %H:%M:%S}",
            "dateFormat": _INSTANT,
            "locale": "en",
            "paged": "true",
            "offset": "0",
            "limit": str(_AUDITS_MAX),
        },
        op_id=op.id,
    )


def _held(op: OpRef, context: OpContext, rows: Sequence[Seen]) -> Ok[Happened] | None:
    """Find the row of a hold, or what became of it: that bears its name."""
    name = str(op.id)
    for row, detail in rows:
        if row.code == name or (row.is_hold and op_of(row, detail) == op.id):
            return Ok(Hold(op.id, context.src, row.amount))
    return None


def _released(
    op: OpRef, context: OpContext, rows: Sequence[Seen]
) -> Ok[Happened] | None:
    """Find the release itself, or a hold that can only have been released.

    Most versions give the rows of a hold and of its release no name. Where holds of the
    amount were freed, none is left, and the hold was not booked, it was freed.
    """
    if any(row.is_release and op_of(row, detail) == op.id for row, detail in rows):
        return Ok(None)
    hold = context.earlier
    if hold is None or any(
        row.code == str(hold) and not row.is_hold for row, _ in rows
    ):
        return None
    holds = [row for row, _ in rows if row.is_hold and row.amount == context.amount]
    return Ok(None) if holds and all(row.released_by for row in holds) else None


def _entries(told: object) -> list[wire.Json]:
    """Read audit entries: a page, or a bare list.

    Raises:
        ContractBroken: neither.
    """
    page = told.get("pageItems") if isinstance(told, Mapping) else told
    if not isinstance(page, list):
        raise wire.broken("the audit is no list")
    return [wire.record(one, "an audit entry") for one in page]


def _result(entry: wire.Json) -> str:
    result = entry.get("processingResult")
    told = result.get("value") if isinstance(result, Mapping) else result
    return told.lower().replace(".", "") if isinstance(told, str) else ""


def _is_refused(entry: wire.Json) -> bool:
    """Tell whether a command surely was not carried out; what is not told, may be."""
    return any(no in _result(entry) for no in _NOT_DONE)


def _is_under_way(entry: wire.Json) -> bool:
    return "underprocessing" in _result(entry)


def _id(entry: wire.Json) -> str:
    return str(wire.number(entry.get("id"), "an audit entry's id"))


def only(shape: type[T], outcome: Outcome[Happened]) -> Outcome[T]:
    """Give an outcome whose value has a shape; another one proves nothing."""
    if not isinstance(outcome, Ok):
        return outcome
    if isinstance(outcome.value, shape):
        return Ok(outcome.value, outcome.provider_ref)
    return Unknown(f"evidence of a {type(outcome.value).__name__}")
