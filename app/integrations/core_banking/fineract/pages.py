"""Pages of rows, as Fineract's answers have them. Pure."""

from collections.abc import Sequence
from heapq import nlargest
from typing import NamedTuple

from app.integrations.core_banking.fineract import wire
from app.integrations.core_banking.fineract.rows import Row, row_of


class Page(NamedTuple):
    """Rows, newest first, and how many there are on all pages."""

    rows: list[Row]
    total: int


Found = dict[str, tuple[wire.Json, Page]]  # by the account's ref


def page_of(value: object) -> Page:
    """Read the answer to a search.

    Raises:
        ContractBroken: it is not as the contract has it.
    """
    page = wire.record(value, "a page of rows")
    content = page.get("content")
    if not isinstance(content, list):
        raise wire.broken("a page without rows")
    total = wire.number(page.get("total"), "the number of rows")
    return Page([row_of(one) for one in content], total)


def joined(
    refs: Sequence[str], accounts: Sequence[object], pages: Sequence[object]
) -> Found:
    """Put accounts and their pages together; what has not both is left out.

    Raises:
        ContractBroken: as above.
    """
    return {
        ref: (wire.record(account, "an account"), page_of(page))
        for ref, account, page in zip(refs, accounts, pages, strict=True)
        if account is not None and page is not None
    }


def newest_of(account: wire.Json, most: int) -> Page | None:
    """Take the newest rows of an account told with all of them; None: it was not.

    They come by the day for which they count; the search, and so we, have them in the
    order in which they were written. Where there are no rows the list is left out.

    Raises:
        ContractBroken: as above.
    """
    told = account.get("transactions")
    if told is None:
        summary = wire.record(account.get("summary"), "a summary")
        has_moved = summary.get("accountBalance") or summary.get("totalDeposits")
        return None if has_moved else Page([], 0)
    if not isinstance(told, list):
        raise wire.broken("rows that are no list")
    every = [wire.record(one, "a row") for one in told]
    newest = nlargest(most, every, key=lambda one: wire.number(one.get("id"), "an id"))
    return Page([row_of(one) for one in newest], len(every))


def longest(found: Found, least: int) -> list[str]:
    """Name the accounts with the most rows that have half of all rows together.

    Args:
        found: accounts and a page of each.
        least: one with so many rows, or fewer, is not named.
    """
    totals = sorted(((page.total, ref) for ref, (_one, page) in found.items()))
    left = sum(total for total, _ref in totals)
    named: list[str] = []
    while totals and left > 0:
        total, ref = totals.pop()
        if total <= least:
            break
        named.append(ref)
        left -= 2 * total
    return named


def place_of(text: str) -> tuple[int, int]:
    """Read where a page of history ended: how many rows it came after, the last one.

    Raises:
        ContractBroken: we never gave that.
    """
    offset, _, last = text.partition(".")
    if not (offset.isdecimal() and last.isdecimal()):
        raise wire.broken("a place that was never given")
    return int(offset), int(last)
