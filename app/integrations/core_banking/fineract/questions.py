"""Asking Fineract without effect: single questions, and many in one batch.

Versions differ in which addresses a batch takes; what one refuses with 501 is asked
alone, a few at once, or in another way.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from enum import Enum
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from app.errors import Outage
from app.integrations.core_banking.fineract import refusals, wire
from app.integrations.exchange import Answer, Ask, from_json
from app.integrations.http import Partner
from app.integrations.outcome import AuthFailed

BATCH = "/v1/batches"
ACCOUNT = "/v1/savingsaccounts/{ref}"
SEARCH = "/v1/savingsaccounts/{ref}/transactions/search"
ROW = "/v1/savingsaccounts/{ref}/transactions/{row}"
_APART = {"enclosingTransaction": "false"}
AT_ONCE = 8  # questions that a batch does not take
PATIENCE_S = 5.0  # of a question: a customer waits for some, ten seconds at most
_FAILED = "status 5"  # how the HTTP client begins what it says of a 5xx


class Untaken(Enum):
    """What stands for the answer to a question that a batch does not take."""

    UNTAKEN = "untaken"


UNTAKEN: Final = Untaken.UNTAKEN


class Questions:
    """Reads of the core.

    Args:
        partner: the opened core.
        read_s: longest silence of the core, seconds; never more than PATIENCE_S.
    """

    def __init__(self, partner: Partner, read_s: float = PATIENCE_S) -> None:
        self._partner = partner
        self._read_s = min(read_s, PATIENCE_S)

    async def one(self, ask: Ask) -> object | None:
        """Ask one question; None: the core does not know what it is about.

        Raises:
            AuthFailed: our credentials, or what our user may do, do not do.
            Outage: no answer, or one out of contract.
        """
        patient = min(ask.read_s, self._read_s)
        answer = await self._partner.read(replace(ask, read_s=patient))
        admitted(answer)
        if answer.status == HTTPStatus.NOT_FOUND and any(
            refusals.codes_of(answer.body)
        ):
            return None
        if not answer.is_success:
            raise wire.broken(f"{ask.route} answered {answer.status}")
        return answer.body

    async def several(self, asks: Sequence[Ask]) -> list[object | None]:
        """Ask many questions in one call; the answers come in the order of the asks.

        Raises:
            AuthFailed: as for one.
            Outage: as for one; a question without its own good answer spoils all.
        """
        found = await self.together(asks)
        lacking = [at for at, one in enumerate(found) if one is UNTAKEN]
        alone = await self.apart([asks[at] for at in lacking])
        for at, one in zip(lacking, alone, strict=True):
            found[at] = one
        return found

    async def apart(self, asks: Sequence[Ask]) -> list[object | None]:
        """Ask each question in a call of its own, a few at once.

        Raises:
            AuthFailed: as for one.
            ContractBroken: the core fails at one of them, as in a batch.
            Outage: as for one; a question without its own good answer spoils all.
        """
        room = asyncio.Semaphore(AT_ONCE)

        async def told(ask: Ask) -> object | None:
            async with room:
                try:
                    return await self.one(ask)
                except Outage as failed:
                    if not failed.cause.startswith(_FAILED):
                        raise
                    raise wire.broken(f"{ask.route} answered {failed.cause}") from None

        found = await asyncio.gather(*map(told, asks), return_exceptions=True)
        return [_or_raised(one) for one in found]

    async def together(self, asks: Sequence[Ask]) -> list[object | None]:
        """Ask many questions in one call; UNTAKEN where the batch does not take one.

        A part that fails in a batch that was answered says nothing of the core: it is
        about what was asked there, and who asks goes on without.

        Raises:
            AuthFailed: as for one.
            ContractBroken: the core fails at a part, or our user may not read it.
            Outage: as for one; a question without its own good answer spoils all.
        """
        if not asks:
            return []
        wanted = [
            {"requestId": at, "relativeUrl": _url(ask), "method": "GET"}
            for at, ask in enumerate(asks, start=1)
        ]
        answer = await self._partner.read(
            Ask("POST", BATCH, params=_APART, body=wanted, read_s=self._read_s)
        )
        admitted(answer)
        if not answer.is_success or not isinstance(answer.body, list):
            raise wire.broken(f"{BATCH} answered {answer.status}")
        parts: dict[object, Mapping[str, object]] = {}
        for value in answer.body:
            part = wire.record(value, "an answer of a batch")
            parts[part.get("requestId")] = part
        found: list[object | None] = []
        for at in range(1, len(asks) + 1):
            mine = parts.get(at)
            if mine is None:
                raise wire.broken("a batch left a question out")
            is_taken = mine.get("statusCode") != HTTPStatus.NOT_IMPLEMENTED
            found.append(_told(mine) if is_taken else UNTAKEN)
            await asyncio.sleep(0)  # a part may be long: others come first now
        return found


def account(ref: str) -> Ask:
    """Ask for an account."""
    return Ask("GET", ACCOUNT, path={"ref": ref})


def history(ref: str) -> Ask:
    """Ask for an account with all its rows; the published source batches that.

    Source: CommandStrategyProvider of Apache Fineract.
    """
    return Ask(
        "GET", ACCOUNT, path={"ref": ref}, params={"associations": "transactions"}
    )


def row(ref: str, number: int) -> Ask:
    """Ask for the details of a row."""
    return Ask("GET", ROW, path={"ref": ref, "row": str(number)})


def page(ref: str, number: int, size: int, since: date | None = None) -> Ask:
    """Ask for a page of rows; the core's `offset` counts pages.

    All rows come newest first; those since a day oldest first, as no page of these
    moves when rows are added.

    Source: TransactionSearchRequest.pageable of Apache Fineract.
    """
    bound = {} if since is None else {"fromSubmittedDate": since.isoformat()}
    return Ask(
        "GET",
        SEARCH,
        path={"ref": ref},
        params={
            **bound,
            "offset": str(number),
            "limit": str(size),
            "orderBy": "createdDate,id",
            "sortOrder": "DESC" if since is None else "ASC",
            **wire.DAYS,
        },
    )


def admitted(answer: Answer) -> None:
    """Tell refused credentials from a refused wish.

    Raises:
        AuthFailed: 401: nothing was looked at.
    """
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise _refused()


def _refused() -> AuthFailed:
    what = f"{wire.NAME}: credentials or tenant refused"
    return AuthFailed(what, component=wire.COMPONENT)


def _or_raised(found: object) -> object:
    if isinstance(found, BaseException):
        raise found
    return found


def _url(ask: Ask) -> str:
    """Write the address of a question inside a batch; what fills it is digits only."""
    filled = ask.route.format_map(ask.path).removeprefix("/")
    return f"{filled}?{urlencode(ask.params, safe=',')}" if ask.params else filled


def _told(part: Mapping[str, object]) -> object | None:
    status, text = part.get("statusCode"), part.get("body")
    if status == HTTPStatus.UNAUTHORIZED:
        raise _refused()
    try:
        body = from_json(text.encode()) if isinstance(text, str) and text else None
    except ValueError:
        raise wire.broken("a part of a batch is no JSON") from None
    if status == HTTPStatus.NOT_FOUND and any(refusals.codes_of(body)):
        return None
    if status != HTTPStatus.OK or body is None:
        raise wire.broken(f"a part of a batch answered {status}")
    return body
