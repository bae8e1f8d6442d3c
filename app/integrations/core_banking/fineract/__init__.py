"""Apache Fineract behind the CoreBank port: savings accounts, transfers and holds.

The id of our operation is the key of the core's command and stands in its text, so a
write sent twice is one, and can be found again. The core never compares the bodies of
two sends, and a refused key stays refused. Source: banking.md section 6.2.
"""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AnyHttpUrl, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock
from app.errors import Outage
from app.integrations.core_banking import (
    AccountState,
    CoreAccount,
    CoreBalance,
    CoreCaps,
    CoreCustomer,
    Health,
    Hold,
    Look,
    Narrative,
    OlderRows,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.core_banking.fineract import hooks, wire
from app.integrations.core_banking.fineract.evidence import Evidence
from app.integrations.core_banking.fineract.listing import Listing
from app.integrations.core_banking.fineract.looking import Looking
from app.integrations.core_banking.fineract.questions import Questions
from app.integrations.core_banking.fineract.rows import Book
from app.integrations.core_banking.fineract.sending import Sending
from app.integrations.core_banking.fineract.states import States
from app.integrations.core_banking.fineract.wire import Place
from app.integrations.core_banking.fineract.writing import Reading, Writing
from app.integrations.exchange import READ_S, Ask
from app.integrations.http import Partner
from app.integrations.outcome import ContractBroken, OpRef, Outcome
from app.money import Money
from app.settings import Misconfigured

HEALTH = "/v1/interoperation/health"
ANSWER_BYTES_MAX = 16 * 1024 * 1024  # a look at many accounts, all in one answer
_READ_ONLY = 405  # of an instance that takes no writes: nothing was begun
_HEALTH_S = 3
_NAMED = ("user", "password_file")


class Settings(BaseSettings):
    """Where the core is, as whom we speak to it, and how it counts days."""

    model_config = SettingsConfigDict(
        env_prefix="SIXPENCE_CORE_BANKING_FINERACT_", frozen=True
    )

    base_url: AnyHttpUrl = Field(
        default=AnyHttpUrl("http://127.0.0.1:8001/fineract-provider/api"),
        description="The core's API without its version; the default is the sandbox.",
    )
    tenant: str = Field(default="default", description="Tenant of the core.")
    user: str = Field(
        default="mifos",
        description="User that the bank is to the core. It may read clients, savings "
        "accounts, transfers and audits, make and undo transfers, use interoperation "
        "and block accounts; nothing else.",
    )
    password_file: Path = Field(
        default=Path(".sixpence/fineract-password"),
        description="File with that user's password; the default is the sandbox's.",
    )
    office_id: int = Field(
        default=1, gt=0, description="Office in whose name money is moved."
    )
    timezone: str = Field(
        default="Asia/Kolkata",
        description="Time zone of the tenant, as the core has it: it keeps days.",
    )
    silence_s: float = Field(
        default=READ_S,
        gt=0,
        le=20,  # an answer is waited for 25 s in all, its payment's lease is longer
        description="Longest silence of the core, in seconds; then nobody knows.",
    )
    hook_secret_file: Path | None = Field(
        default=None,
        description="File with the last part of the address that the core's hooks "
        "call, 32 to 128 letters, digits, - and _. Left out, no hook is heard.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        on_this_machine = _is_this_machine(self.base_url)
        if self.base_url.scheme != "https" and not on_this_machine:
            raise ValueError("BASE_URL must be https, or be on this machine")
        missing = [name for name in _NAMED if name not in self.model_fields_set]
        if missing and not on_this_machine:
            raise ValueError(f"{', '.join(missing).upper()} must be given too")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("TIMEZONE is no name of the IANA database") from None
        return self


class Fineract:
    """Fits `CoreBank` and `Remote`. `ref` is the number of a savings account.

    Args:
        partner: the opened core.
        clock: the bank's clock.
        book: whose rows.
        office: in whose name money is moved.
        silence_s: longest silence of the core, seconds.
        hook_secret: last part of the address of its hooks; None: none is heard.
    """

    caps = CoreCaps(
        local=False,
        joins_transaction=False,
        holds=True,
        partial_capture=False,
        native_idempotency=True,
        reverse=True,
    )

    def __init__(
        self,
        partner: Partner,
        clock: Clock,
        book: Book,
        *,
        office: int,
        silence_s: float,
        hook_secret: str | None = None,
    ) -> None:
        self.partner = partner
        self._hook_secret = hook_secret
        questions = Questions(partner, silence_s)
        self._looking = Looking(questions, book, clock)
        self._listing = Listing(questions, self._looking)
        evidence = Evidence(questions, self._looking, book.zone, clock)
        reading = Reading(questions, self._looking, evidence)
        sending = Sending(partner, clock, silence_s)
        place = Place(office, book.zone)
        self._states = States(sending, clock, place, self._looking)
        self._writing = Writing(sending, clock, place, reading)

    # -------------------------------------------------------------- reads

    async def accounts(self, customer: CoreCustomer) -> list[CoreAccount]:
        """List the savings accounts of a customer, in two calls.

        Raises:
            Outage: the core does not answer, or not by its contract.
        """
        return await self._listing.accounts(customer.number)

    async def balances(self, refs: Sequence[str]) -> list[CoreBalance]:
        """Give the balances of accounts in one call; unknown ones left out.

        Raises:
            Outage: as above.
        """
        return await self._looking.balances(refs)

    async def look(self, refs: Sequence[str], rows: int) -> list[Look]:
        """Look at accounts and their newest rows, in few calls; see `Looking.look`.

        Raises:
            Outage: as above.
        """
        return await self._looking.look(refs, rows)

    async def older(self, ref: str, after: str) -> OlderRows:
        """Give the page of history that follows a place.

        Raises:
            Outage: as above.
        """
        return await self._looking.older(ref, after)

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Posting | Hold | None]:
        """Tell what the core shows of an operation; sends nothing again.

        Raises:
            Outage: as above.
        """
        return await self._writing.lookup(op, kind, context)

    async def health(self) -> Health:
        """Ask whether the core answers."""
        try:
            answer = await self.partner.read(Ask("GET", HEALTH, read_s=_HEALTH_S))
        except ContractBroken:
            return Health(reachable=True)  # a yes in words, not in JSON
        except Outage as lost:
            return Health(reachable=False, detail=lost.cause)
        detail = "" if answer.is_success else f"status {answer.status}"
        return Health(reachable=answer.is_success, detail=detail)

    # -------------------------------------------------------------- writes

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting]:
        """Move money at once between two accounts.

        Raises:
            NotSent: surely nothing left for the core.
        """
        return await self._writing.transfer(op, src, dst, amount, text)

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: Narrative
    ) -> Outcome[Hold]:
        """Set money aside; an account without external id cannot be held.

        Raises:
            NotSent: as above.
        """
        return await self._writing.hold(op, src, amount, text)

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        """Book held money, the whole of it.

        Raises:
            NotSent: as above.
        """
        return await self._writing.capture(op, hold, amount)

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        """Free held money.

        Raises:
            NotSent: as above.
        """
        return await self._writing.release(op, hold)

    async def reverse(
        self, op: OpRef, posting: Posting, reason: str
    ) -> Outcome[Posting]:
        """Undo a posting that was looked up or made here, once.

        A capture is undone by the core; a transfer, of which it refuses to undo one
        side, by one back.

        Raises:
            NotSent: as above, or the posting was not looked up before.
        """
        del reason  # the core keeps none
        return await self._writing.reverse(op, posting)

    async def set_state(
        self, op: OpRef, ref: str, state: AccountState
    ) -> Outcome[None]:
        """Block, unblock or close an account.

        Raises:
            NotSent: as above.
        """
        return await self._states.put(op, ref, state)

    # -------------------------------------------------------------- CanHint

    def hinted(self, secret: str, body: bytes) -> str | None:
        """Name the account that a hook's call is about; None: it names none.

        Raises:
            NotFound: another secret.
        """
        return hooks.account_of(self._hook_secret, secret, body)

    async def close(self) -> None:
        """Close the connections."""
        await self.partner.close()


async def connect(settings: Settings, *, clock: Clock) -> Fineract:
    """Make the adapter; no connection is opened before the first call.

    Raises:
        Misconfigured: the password, or the hooks' secret, cannot be read.
    """
    password = await asyncio.to_thread(_password, settings.password_file)
    entry = b64encode(f"{settings.user}:{password}".encode()).decode()
    partner = Partner(
        wire.NAME,
        str(settings.base_url),
        clock=clock,
        component=wire.COMPONENT,
        refuses_before_work=frozenset({_READ_ONLY}),
        headers={
            "authorization": f"Basic {entry}",
            "fineract-platform-tenantid": settings.tenant,
        },
        answer_bytes_max=ANSWER_BYTES_MAX,
    )
    book = Book(settings.tenant, ZoneInfo(settings.timezone))
    secret = settings.hook_secret_file
    return Fineract(
        partner,
        clock,
        book,
        office=settings.office_id,
        silence_s=settings.silence_s,
        hook_secret=None
        if secret is None
        else await asyncio.to_thread(hooks.secret_of, secret),
    )


def _password(file: Path) -> str:
    try:
        found = file.read_text("utf-8").strip()
    except (OSError, ValueError):
        found = ""
    if not found:
        raise Misconfigured(
            "CORE_BANKING_FINERACT_PASSWORD_FILE: there is no password to read"
        )
    return found


def _is_this_machine(url: AnyHttpUrl) -> bool:
    host = url.host or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
