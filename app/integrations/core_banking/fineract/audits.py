"""The core's record of commands: which of them name an operation, and how they ended.

It is read newest first, back to when the operation can have been sent first. How the
core takes an instant without a zone is not known, so a day more is asked for, and the
entries' own instants end the reading. What was not read to there proves nothing.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from app.clock import Clock
from app.integrations.core_banking import OpKind
from app.integrations.core_banking.fineract import wire
from app.integrations.core_banking.fineract.questions import Questions
from app.integrations.exchange import Ask
from app.integrations.outcome import ContractBroken
from app.shelf import Shelf
from app.telemetry import log

AUDITS = "/v1/audits"
AUDIT = "/v1/audits/{id}"
PAGE = 200
_PAGES_MAX = 50
_ALONE_MAX = 400  # commands read one by one in one look; the next look goes on there
_SOME = 16  # of these in a call, or eight at a time: what was read is kept
_KEPT = 20_000
_EARLY = timedelta(minutes=5)  # the core's clock may be behind ours
_ZONES = timedelta(days=1)
_NAME = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_REFUSED = frozenset({"error", "rejected"})  # words of its results
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS = 100_000_000_000  # from here on an epoch is no longer one of seconds
# Action and entity of the core's command.
COMMANDS: Mapping[OpKind, tuple[str, str]] = MappingProxyType(
    {
        OpKind.TRANSFER: ("CREATE", "ACCOUNTTRANSFER"),
        OpKind.HOLD: ("PREPARE", "INTERTRANSFER"),
        OpKind.CAPTURE: ("CREATE", "INTERTRANSFER"),
        OpKind.RELEASE: ("RELEASE", "INTERTRANSFER"),
    }
)


class Span(NamedTuple):
    """What of the record is read, and for how long.

    Args:
        began: nothing of the operation can have been sent before.
        ends_at: by the clock's monotonic seconds; a page is read all the same.
    """

    began: datetime
    ends_at: float


class Found(NamedTuple):
    """What the record shows of an operation.

    Args:
        is_done: a command that was carried out names it, or what it ends.
        left: commands that name it and were neither carried out nor refused.
        is_whole: no other command can name it.
    """

    is_done: bool
    left: list[wire.Json]
    is_whole: bool


class Audits:
    """Reads the record; remembers whom a command names, which never changes.

    Args:
        questions: asks the core.
        clock: how long it is read.
    """

    def __init__(self, questions: Questions, clock: Clock) -> None:
        self._ask = questions
        self._clock = clock
        self._names = Shelf[str, frozenset[str]](_KEPT)

    async def naming(
        self, kind: OpKind, op: UUID, ends: UUID | None, span: Span
    ) -> Found:
        """Find the commands of a kind that name an operation.

        Args:
            kind: of the operation.
            op: its id.
            ends: the hold that it ends; one is ended once, by whichever op.
            span: what is read.

        Raises:
            Outage: the core does not tell at the moment.
        """
        start, named = span.began - _EARLY, {str(op), str(ends or op)}
        seen: set[str] = set()
        left: list[wire.Json] = []
        is_told, alone = True, _ALONE_MAX
        for _ in range(_PAGES_MAX):
            told = await self._ask.one(_page_of(op, kind, start, len(seen)))
            page = {_id(one): one for one in _entries(told)}
            fresh = {number: one for number, one in page.items() if number not in seen}
            seen |= fresh.keys()
            mine = {
                number: one
                for number, one in fresh.items()
                if not _is_before(one, start) and not _is_refused(one)
            }
            alone -= await self._learn(mine, alone, span.ends_at)
            for number, one in mine.items():
                names = self._names.of(number)
                if names is None:
                    is_told = False
                elif _is_done(one) and not named.isdisjoint(names):
                    return Found(is_done=True, left=[], is_whole=False)
                elif str(op) in names:
                    left.append(one)
            is_back = any(_is_before(one, start) for one in fresh.values())
            if is_back or _is_end(told, len(page), len(seen)):
                return Found(is_done=False, left=left, is_whole=is_told)
            if not fresh or self._is_late(span.ends_at):
                break  # the core does not turn the page, or the time is up
        return Found(is_done=False, left=left, is_whole=False)

    async def _learn(
        self, entries: Mapping[str, wire.Json], most: int, ends_at: float
    ) -> int:
        """Read whom commands name; gives how many had to be read one by one.

        What is not told is not remembered: it may be, the next time. What is told is
        kept as it comes: whoever is cut off goes on there.
        """
        lacking = [one for one in entries if self._names.of(one) is None]
        for number in lacking:
            self._keep(number, entries[number])
        silent = [one for one in lacking if not _text(entries[one])][:most]
        for start in range(0, len(silent), _SOME):
            if start and self._is_late(ends_at):
                return start
            await self._read(silent[start : start + _SOME])
        return len(silent)

    async def _read(self, numbers: Sequence[str]) -> None:
        """Read commands one by one; those at which the core fails stay untold."""
        asks = [Ask("GET", AUDIT, path={"id": number}) for number in numbers]
        try:
            told = await self._ask.several(asks)
        except ContractBroken as broken:
            log.warning("core_command_not_read", partner=wire.NAME, cause=broken.cause)
            return
        for number, one in zip(numbers, told, strict=True):
            self._keep(number, one)

    def _keep(self, number: str, entry: object) -> None:
        if text := _text(entry):
            self._names.keep(number, frozenset(_NAME.findall(text)))

    def _is_late(self, ends_at: float) -> bool:
        return self._clock.monotonic() >= ends_at


def made_at(entry: wire.Json) -> datetime | None:
    """Tell when a command was given; None: not told, or not as an instant."""
    told = entry.get("madeOnDate")
    try:
        if isinstance(told, str):
            found = datetime.fromisoformat(told.partition("[")[0])
            return found if found.tzinfo else None
        if isinstance(told, int | Decimal):
            whole = int(told if told >= _MILLISECONDS else told * 1000)
            return _EPOCH + whole * timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        pass
    return None


def is_under_way(entry: wire.Json) -> bool:
    """Tell whether the core says that it works on a command."""
    return "".join(filter(str.isalpha, _result(entry))).endswith("underprocessing")


def _page_of(op: UUID, kind: OpKind, start: datetime, offset: int) -> Ask:
    """Ask for commands of a kind, the newest first."""
    action, entity = COMMANDS[kind]
    since = start.astimezone(UTC) - _ZONES
    return Ask(
        "GET",
        AUDITS,
        params={
            "actionName": action,
            "entityName": entity,
            "makerDateTimeFrom": f"{since:%Y-%m-%d %H:%M:%S}",
            "dateFormat": "yyyy-MM-dd HH:mm:ss",
            "locale": "en",
            "paged": "true",
            "includeJson": "true",
            "orderBy": "id",
            "sortOrder": "DESC",
            "offset": str(offset),
            "limit": str(PAGE),
        },
        op_id=op,
    )


def _entries(told: object) -> list[wire.Json]:
    """Read audit entries: a page, or a bare list.

    Raises:
        ContractBroken: neither.
    """
    page = told.get("pageItems") if isinstance(told, Mapping) else told
    if not isinstance(page, list):
        raise wire.broken("the audit is no list")
    return [wire.record(one, "an audit entry") for one in page]


def _is_end(told: object, size: int, seen: int) -> bool:
    """Tell whether a page is the last: it is short, and nothing is missing."""
    total = told.get("totalFilteredRecords") if isinstance(told, Mapping) else None
    return size < PAGE and (not isinstance(total, int) or seen >= total)


def _is_before(entry: wire.Json, start: datetime) -> bool:
    made = made_at(entry)
    return made is not None and made < start


def _result(entry: wire.Json) -> str:
    """Read how a command ended, in the core's word; "" where it is not told."""
    result = entry.get("processingResult")
    told = result.get("value") if isinstance(result, Mapping) else result
    return told.strip().lower() if isinstance(told, str) else ""


def _is_done(entry: wire.Json) -> bool:
    """Tell whether a command surely was carried out."""
    return _result(entry).rpartition(".")[2] == "processed"


def _is_refused(entry: wire.Json) -> bool:
    """Tell whether a command surely was not carried out; what is not told, may be."""
    return _result(entry).rpartition(".")[2] in _REFUSED


def _text(entry: object) -> str:
    """Read what a command asked for; "" where it is not told."""
    told = entry.get("commandAsJson") if isinstance(entry, Mapping) else None
    return told if isinstance(told, str) else ""


def _id(entry: wire.Json) -> str:
    return str(wire.number(entry.get("id"), "an audit entry's id"))
