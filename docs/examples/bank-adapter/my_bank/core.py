"""The core of My Bank behind the CoreBank port, written from docs/adapters.md.

Its one rule book: a write is `PUT /orders/{id}` under the id of our op, and whatever
became of an order can be read under the same id.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, DecimalException
from typing import Any, TypeVar
from uuid import UUID

from pydantic import AnyHttpUrl, FilePath
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock
from app.errors import Outage
from app.integrations import core_banking as port
from app.integrations import outcome as told
from app.integrations.core_banking import AccountState, Hold, OpKind, Posting
from app.integrations.exchange import Answer, Ask
from app.integrations.http import Partner
from app.integrations.outcome import OpRef, Outcome, PortCode
from app.money import Money, exponent_of

T = TypeVar("T")
Json = Any  # whoever reads it does so under _by_contract()
OURS = "TRANSFERS"  # the part of the service that suffers when the core is away
UNTRUSTED, NOT_FOUND, REFUSED = 401, 404, 422
CODES = {
    "NO_FUNDS": PortCode.INSUFFICIENT_FUNDS,
    "NO_ACCOUNT": PortCode.ACCOUNT_NOT_FOUND,
    "BLOCKED": PortCode.ACCOUNT_BLOCKED,
    "CLOSED": PortCode.ACCOUNT_CLOSED,
    "CURRENCY": PortCode.CURRENCY_MISMATCH,
    "AMOUNT": PortCode.VALIDATION,
    "RESOLVED": PortCode.VALIDATION,
    "REUSED": PortCode.DUPLICATE_MISMATCH,
}


class Settings(BaseSettings):
    """Where the core is; `wait_s` is the longest silence that we bear."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_CORE_BANKING_MY_BANK_")
    base_url: AnyHttpUrl
    token_file: FilePath
    wait_s: float = 10
    page_rows: int = 50


class MyBank:
    """The CoreBank port, and Remote, over My Bank's HTTP interface."""

    caps = port.CoreCaps(
        local=False,
        joins_transaction=False,
        holds=True,
        partial_capture=True,
        native_idempotency=True,
        reverse=True,
    )

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        bearer = f"Bearer {settings.token_file.read_text().strip()}"
        self._partner = Partner(
            "my_bank",
            str(settings.base_url),
            clock=clock,
            component=OURS,
            headers={"authorization": bearer},
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._partner.close()

    # ------------------------------------------------------------ reads

    async def accounts(self, customer: port.CoreCustomer) -> list[port.CoreAccount]:
        """List the accounts of a customer; of one it does not know: none."""
        found = await self._read("/customers/{number}", {"number": customer.number})
        with _by_contract():
            return [_account(one) for one in found or ()]

    async def balances(self, refs: Sequence[str]) -> list[port.CoreBalance]:
        """Give the balances of accounts in one call."""
        return [one.balance for one in await self.look(refs, 1)]

    async def look(self, refs: Sequence[str], rows: int) -> list[port.Look]:
        """Look at accounts in one call."""
        if not refs:
            return []
        asked = {"refs": ",".join(refs), "rows": str(rows)}
        found = await self._read("/accounts", {}, asked)
        with _by_contract():
            return [self._look(one) for one in found]

    async def older(self, ref: str, after: str) -> port.OlderRows:
        """Give the page before a movement's number, which stays where it is."""
        asked = {"before": after, "rows": str(self._settings.page_rows)}
        page = await self._read("/accounts/{ref}/movements", {"ref": ref}, asked)
        with _by_contract():
            rows = tuple(self._row(ref, one) for one in page["movements"])
            return port.OlderRows(rows, page["older"])

    async def health(self) -> port.Health:
        """Ask whether the core answers."""
        try:
            await self._read("/health", {})
        except Outage as outage:
            return port.Health(reachable=False, detail=outage.cause, posts=False)
        return port.Health(reachable=True)

    # ------------------------------------------------------------ writes

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: port.Narrative
    ) -> Outcome[Posting]:
        """Move money at once."""
        moves = {"src": src, "dst": dst, "text": text.memo, **_written(amount)}
        return await self._order(op, "transfer", moves, _posting)

    async def hold(
        self, op: OpRef, src: str, amount: Money, text: port.Narrative
    ) -> Outcome[Hold]:
        """Set money aside."""
        moves = {"src": src, "text": text.memo, **_written(amount)}
        return await self._order(op, "hold", moves, self._hold)

    async def capture(
        self, op: OpRef, hold: Hold, amount: Money | None
    ) -> Outcome[Posting]:
        """Book held money; the rest of it is free again."""
        moves = {"hold": str(hold.id), **_written(amount or hold.amount)}
        return await self._order(op, "capture", moves, _posting)

    async def release(self, op: OpRef, hold: Hold) -> Outcome[None]:
        """Free held money."""
        return await self._order(op, "release", {"hold": str(hold.id)}, _nothing)

    async def reverse(
        self, op: OpRef, posting: Posting, reason: str
    ) -> Outcome[Posting]:
        """Book the opposite of a movement."""
        moves = {"of": str(posting.journal), "text": reason}
        return await self._order(op, "reverse", moves, _posting)

    async def set_state(
        self, op: OpRef, ref: str, state: AccountState
    ) -> Outcome[None]:
        """Block, unblock or close an account."""
        moves = {"src": ref, "state": state.value}
        return await self._order(op, "state", moves, _nothing)

    async def lookup(
        self, op: OpRef, kind: OpKind, context: port.OpContext
    ) -> Outcome[Posting | Hold | None]:
        """Read the order under the op's id; `context` is not needed here."""
        del context
        ask = Ask("GET", "/orders/{id}", {"id": str(op.id)}, op_id=op.id)
        answer = await self._partner.read(ask)
        if answer.status == NOT_FOUND:
            return told.Rejected(PortCode.NEVER_SEEN)
        value: Callable[[Json], Posting | Hold | None] = _posting
        if kind in {OpKind.HOLD, OpKind.RELEASE}:
            value = self._hold if kind is OpKind.HOLD else _nothing
        return self._outcome(ask, answer, value)

    # ------------------------------------------------------------ the wire

    async def _read(
        self, route: str, path: dict[str, str], params: dict[str, str] | None = None
    ) -> Json:
        wait_s = self._settings.wait_s
        ask = Ask("GET", route, path, params or {}, read_s=wait_s)
        answer = await self._partner.read(ask)
        if answer.status == UNTRUSTED:
            raise told.AuthFailed("my_bank: 401", component=OURS)
        if not answer.is_success and answer.status != NOT_FOUND:
            raise told.ContractBroken(f"status {answer.status}", component=OURS)
        return answer.body if answer.is_success else None

    async def _order(
        self, op: OpRef, kind: str, moves: dict[str, str], value: Callable[[Json], T]
    ) -> Outcome[T]:
        body = {"kind": kind, "print": op.fingerprint.hex(), **moves}
        ask = Ask(
            *("PUT", "/orders/{id}", {"id": str(op.id)}),
            body=body,
            op_id=op.id,
            read_s=self._settings.wait_s,
        )
        answer = await self._partner.write(ask)
        if isinstance(answer, told.Unknown):
            return answer
        return self._outcome(ask, answer, value)

    def _outcome(
        self, ask: Ask, answer: Answer, value: Callable[[Json], T]
    ) -> Outcome[T]:
        """Tell what an order's answer says: the one table of this adapter."""
        if answer.status == UNTRUSTED:
            raise told.AuthFailed("my_bank: 401", component=OURS)
        body = answer.body if isinstance(answer.body, dict) else {}
        if answer.status == REFUSED and body.get("no") in CODES:
            return told.Rejected(CODES[body["no"]])
        if not answer.is_success:
            return self._partner.unlisted(ask, answer)
        try:
            with _by_contract():
                return told.Ok(value(body), str(body["id"]))
        except told.ContractBroken as broken:  # it happened, and we cannot read what
            return told.Unknown(broken.cause)

    # ------------------------------------------------------------ translation

    def _money(self, text: str, currency: str) -> Money:
        """Read an amount exactly; a fraction of a minor unit breaks the contract."""
        minor = Decimal(text).scaleb(exponent_of(currency))
        if minor != minor.to_integral_value():
            raise ValueError("a fraction of a minor unit")
        return Money(int(minor), currency)

    def _hold(self, body: Json) -> Hold:
        amount = self._money(body["amount"], body["currency"])
        return Hold(UUID(body["id"]), body["src"], amount)

    def _look(self, one: Json) -> port.Look:
        ref, currency = one["ref"], one["currency"]
        booked = self._money(one["booked"], currency)
        held = self._money(one["held"], currency)
        now = self._clock.now()
        balance = port.CoreBalance(ref, booked, held, booked - held, now, version=0)
        rows = [self._row(ref, row, "PENDING") for row in one["holds"]]
        rows += [self._row(ref, row) for row in one["movements"]]
        rows.sort(key=lambda row: row.created_at, reverse=True)
        state = AccountState(one["state"])
        return port.Look(ref, state, balance, tuple(rows), one["older"])

    def _row(self, ref: str, row: Json, status: str = "BOOKED") -> port.CoreTxn:
        amount = self._money(row["amount"], row["currency"])
        at = datetime.fromisoformat(row["at"])
        return port.CoreTxn(
            id=UUID(row["id"]),
            ref=ref,
            status=status,
            kind="TRANSFER",
            direction="IN" if amount.minor > 0 else "OUT",
            amount=amount if amount.minor > 0 else -amount,
            running_balance=self._money(row["after"], row["currency"]),
            created_at=at,
            booked_at=at if status == "BOOKED" else None,
            value_on=at.astimezone(self._clock.zone).date(),
            counterparty_name=None,
            counterparty_masked=None,
            narration=row["text"],
            rail="INTERNAL",
            reference=None,
            payment=None,
            op=UUID(row["order"]) if row["order"] else None,
        )


async def connect(settings: Settings, *, clock: Clock) -> MyBank:
    """Open the core; the first call opens the connection."""
    return MyBank(settings, clock)


@contextmanager
def _by_contract() -> Iterator[None]:
    """Read an answer: what does not fit is the partner's fault, told as such."""
    try:
        yield
    except (AttributeError, DecimalException, KeyError, TypeError, ValueError) as wrong:
        cause = f"an answer that does not fit: {type(wrong).__name__}"
        raise told.ContractBroken(cause, component=OURS) from None


def _account(one: Json) -> port.CoreAccount:
    return port.CoreAccount(
        ref=one["ref"],
        kind=port.AccountKind.CURRENT,
        name=one["name"],
        masked_number=f"••••{one['number'][-4:]}",
        currency=one["currency"],
        state=AccountState(one["state"]),
        number=one["number"],
    )


def _written(amount: Money) -> dict[str, str]:
    digits = Decimal(amount.minor).scaleb(-amount.exponent)
    return {"amount": format(digits, "f"), "currency": amount.currency}


def _posting(body: Json) -> Posting:
    return Posting(UUID(body["journal"]), datetime.fromisoformat(body["at"]))


def _nothing(_body: Json) -> None:
    return None
