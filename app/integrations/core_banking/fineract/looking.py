"""Looking at accounts: who they are, their figures, their rows, in few calls."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from app.clock import Clock
from app.integrations.core_banking import CoreBalance, CoreTxn, Look, OlderRows
from app.integrations.core_banking.fineract import questions, wire
from app.integrations.core_banking.fineract.questions import Questions
from app.integrations.core_banking.fineract.recent import Recent
from app.integrations.core_banking.fineract.rows import (
    NOTHING_MORE,
    Book,
    Detail,
    Row,
    detail_of,
    row_of,
)
from app.money import Money

ROWS_MAX = 100
PAGE = 100
_PAGES_MAX = 50
_KEPT = 20_000


class Card(NamedTuple):
    """What never changes of an account, and its other name, if it has one."""

    ref: str
    client: int
    currency: str
    external: str | None


class Seen(NamedTuple):
    """One row with its details."""

    row: Row
    detail: Detail


class _Page(NamedTuple):
    """Rows, newest first, and how many there are on all pages."""

    rows: list[Row]
    total: int


class Looking:
    """Reads accounts and rows; remembers what can never change.

    Args:
        questions: asks the core.
        book: names rows and knows the core's days.
        clock: when figures were read.
    """

    def __init__(self, questions: Questions, book: Book, clock: Clock) -> None:
        self._ask = questions
        self._book = book
        self._clock = clock
        self._details: Recent[tuple[str, int], Detail] = Recent(_KEPT)
        self._cards: Recent[str, Card] = Recent(_KEPT)
        self._lists_tell = False  # more than their contract: then it is all there is

    async def accounts(self, refs: Sequence[str]) -> dict[str, wire.Json]:
        """Give accounts as the core keeps them, in one call; unknown ones left out.

        Raises:
            Outage: the core does not answer, or not by its contract.
        """
        wanted = _wanted(refs)
        told = await self._ask.several([questions.account(ref) for ref in wanted])
        found = {
            ref: wire.record(one, "an account")
            for ref, one in zip(wanted, told, strict=True)
            if one is not None
        }
        for ref, one in found.items():
            self._cards.put(ref, _card(ref, one))
        return found

    async def cards(self, refs: Sequence[str]) -> dict[str, Card]:
        """Give what never changes of accounts, mostly without asking.

        An account without external id is asked about again: it may get one.

        Raises:
            Outage: as above.
        """
        kept = {ref: self._cards.get(ref) for ref in _wanted(refs)}
        if lacking := [ref for ref, one in kept.items() if not one or not one.external]:
            await self.accounts(lacking)
        return {ref: one for ref in kept if (one := self._cards.get(ref)) is not None}

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        """Give the balances of accounts in one call; unknown ones left out.

        Raises:
            Outage: as above.
        """
        return [
            self._balance(ref, one) for ref, one in (await self.accounts(refs)).items()
        ]

    async def look(self, refs: Sequence[str], rows: int) -> list[Look]:
        """Look at accounts and their newest rows, in at most two calls.

        Raises:
            Outage: as above.
        """
        wanted, most = _wanted(refs), max(1, min(rows, ROWS_MAX))
        cards = [questions.account(ref) for ref in wanted]
        pages = [questions.page(ref, 0, most) for ref in wanted]
        told = await self._ask.several([*cards, *pages])
        found: dict[str, tuple[wire.Json, _Page]] = {}
        for at, ref in enumerate(wanted):
            account, page = told[at], told[at + len(wanted)]
            if account is not None and page is not None:
                found[ref] = wire.record(account, "an account"), _page(page)
        await self._learn({ref: page.rows for ref, (_one, page) in found.items()})
        return [
            self._look(ref, account, page) for ref, (account, page) in found.items()
        ]

    async def older(self, ref: str, after: str) -> OlderRows:
        """Give the rows that follow a place.

        The core counts from its newest row, so rows that came since push the place
        back; those that were given already are skipped. That also bears a core whose
        `offset` counts rows: its pages overlap, and none is left out.

        Raises:
            Outage: as above, or the place is none of ours.
        """
        consumed, last = _place(after)
        number = consumed // PAGE
        for _ in range(_PAGES_MAX):
            page = await self._page(ref, number, None)
            fresh = [row for row in page.rows if row.id < last]
            is_last = len(page.rows) < PAGE
            if fresh or is_last:
                break
            number += 1
        else:
            raise wire.silent("rows come faster than they can be read")
        if not fresh:
            return OlderRows((), None)
        await self._learn({ref: fresh})
        end = (number + 1) * PAGE
        place = None if is_last else f"{end}.{fresh[-1].id}"
        return OlderRows(self._shown(ref, fresh), place)

    async def since(self, ref: str, day: date) -> list[Seen]:
        """Give all rows of an account that were written since a day, with details.

        Raises:
            Outage: as above, or they are too many to look through.
        """
        found: dict[int, Row] = {}
        for number in range(_PAGES_MAX):
            page = await self._page(ref, number, day)
            found |= {row.id: row for row in page.rows}
            if len(page.rows) < PAGE:
                break
        else:
            raise wire.silent("there are too many rows to look through")
        rows = [*found.values()]
        await self._learn({ref: rows})
        return [Seen(row, self._detail(ref, row)) for row in rows]

    # ------------------------------------------------------------------ parts

    async def _page(self, ref: str, number: int, day: date | None) -> _Page:
        """Read a page; of an unknown account: an empty one."""
        told = await self._ask.one(questions.page(ref, number, PAGE, day))
        return _Page([], 0) if told is None else _page(told)

    async def _learn(self, pages: Mapping[str, Sequence[Row]]) -> None:
        """Read the details of rows that are not remembered, in one call."""
        every = [row for page in pages.values() for row in page]
        self._lists_tell = self._lists_tell or any(row.detail for row in every)
        lacking = [
            (ref, row)
            for ref, page in pages.items()
            for row in page
            if row.has_more and self._details.get((ref, row.id)) is None
            if not self._lists_tell
        ]
        told = await self._ask.several(
            [questions.row(ref, row.id) for ref, row in lacking]
        )
        for (ref, row), one in zip(lacking, told, strict=True):
            if one is None:
                raise wire.broken("a listed row is not there")
            self._details.put((ref, row.id), detail_of(one))
        await asyncio.sleep(0)  # many rows were read: others come first now

    def _detail(self, ref: str, row: Row) -> Detail:
        return row.detail or self._details.get((ref, row.id)) or NOTHING_MORE

    def _shown(self, ref: str, page: Sequence[Row]) -> tuple[CoreTxn, ...]:
        return tuple(
            self._book.shown(ref, row, self._detail(ref, row))
            for row in page
            if row.is_shown
        )

    def _look(self, ref: str, account: wire.Json, page: _Page) -> Look:
        self._cards.put(ref, _card(ref, account))
        end = len(page.rows)
        return Look(
            ref=ref,
            state=wire.state_of(account),
            balance=self._balance(ref, account),
            rows=self._shown(ref, page.rows),
            older=f"{end}.{page.rows[-1].id}" if 0 < end < page.total else None,
        )

    def _balance(self, ref: str, account: wire.Json) -> CoreBalance:
        summary = wire.record(account.get("summary"), "a summary")
        currency = wire.currency_of(account.get("currency"))
        on_hold = account.get("savingsAmountOnHold")
        booked = wire.money(summary.get("accountBalance"), currency, "a balance")
        free = summary.get("availableBalance")
        held = (
            Money(0, currency)
            if on_hold is None
            else wire.money(on_hold, currency, "an amount on hold")
        )
        return CoreBalance(
            ref=ref,
            committed=booked,
            held=held,
            available=booked - held
            if free is None
            else wire.money(free, currency, "an available balance"),
            as_of=self._clock.now(),
            version=0,
        )


def _wanted(refs: Sequence[str]) -> list[str]:
    """Give the references that this core can have given, each once."""
    return list(dict.fromkeys(ref for ref in refs if wire.named(ref)))


def _card(ref: str, account: wire.Json) -> Card:
    return Card(
        ref=ref,
        client=wire.number(account.get("clientId"), "a client's id"),
        currency=wire.currency_of(account.get("currency")),
        external=wire.external_id(account.get("externalId")),
    )


def _page(value: object) -> _Page:
    page = wire.record(value, "a page of rows")
    content = page.get("content")
    if not isinstance(content, list):
        raise wire.broken("a page without rows")
    total = wire.number(page.get("total"), "the number of rows")
    return _Page([row_of(one) for one in content], total)


def _place(text: str) -> tuple[int, int]:
    offset, _, last = text.partition(".")
    if not (offset.isdecimal() and last.isdecimal()):
        raise wire.broken("a place that was never given")
    return int(offset), int(last)
