"""A town whose bank reaches other banks, and what Asha's phone sends to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.clock import StoppedClock
from app.ids import ChallengeId, PaymentId
from app.payments.payment import Payment
from app.settings import Settings
from app.vault import Vault
from tests.payments.faults import Outside
from tests.payments.handset import Phone
from tests.payments.instant import DEV, IFSC, Instant
from tests.payments.town import Town, a_town
from tests.payments.wire import call
from tests.payments.world import NOTHING_MOVED, a_key, open_bank

CHECK = "payeeCheck { match suggestedName checkedAt }"
NO = """userErrors { __typename code field
  ... on PayeeNameMismatchError { check { match suggestedName } }
  ... on ServiceUnavailableError { component }
  ... on StepUpRequiredError { challenge { id display { summary } } } }"""
SAVE = f"""mutation S($input: BeneficiaryCreateInput!) {{ beneficiaryCreate(
  input: $input) {{ beneficiary {{ id name maskedAccount bankCode bankName {CHECK} }}
  {NO} }} }}"""
RESOLVE = f"""query R($input: PayeeInput!) {{ payeeResolve(input: $input) {{
  payee {{ name bankName rails }} {NO} }} }}"""
QUOTE = f"""query Q($input: QuoteInput!) {{ quote(input: $input) {{ quote {{
  id expiresAt fee {{ minorUnits }} total {{ minorUnits }} rail arrivesBy {CHECK}
  limit {{ window remaining {{ minorUnits }} }} allowed
  blockers {{ __typename code field }} }} {NO} }} }}"""
CREATE = f"""mutation C($input: PaymentCreateInput!) {{ paymentCreate(input: $input) {{
  payment {{ id status rail fee {{ minorUnits }} expectedBy payee {{ name
  maskedAccount bankName }} destination {{ ... on Beneficiary {{ id }} }}
  challenge {{ id display {{ payeeAddress }} }} }} {NO} }} }}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abroad:
    """A town with a rail to other banks."""

    town: Town
    rail: Instant

    async def call(self, document: str, /, **given: Any) -> Any:
        """Send a document of Asha's with one input; gives what its field answered."""
        return await self.call_by(self.town.asha, document, given)

    async def call_by(self, phone: Phone, document: str, given: dict[str, Any]) -> Any:
        """Send somebody's document with one input."""
        answer = await call(self.town, phone, document, input=given)
        return next(iter(answer.values()))

    def payee(self, number: str, name: str, **more: object) -> dict[str, Any]:
        """Ask to save an account of another bank."""
        account = {"accountNumber": number, "bankCode": IFSC}
        return {
            "idempotencyKey": a_key(),
            "nickname": "Dev",
            "name": name,
            "payee": {"account": account},
        } | more

    async def saved(self, number: str = DEV, name: str = "Dev Malhotra") -> str:
        """Save a payee with its step-up; gives the id."""
        wish = self.payee(number, name, riskAcknowledged=True)
        no = (await self.call(SAVE, **wish))["userErrors"][0]
        asha = self.town.asha
        stored = await self.town.bank.challenges.find(
            asha.actor, ChallengeId.parse(no["challenge"]["id"])
        )
        assert stored is not None
        await self.town.bank.step_ups.answer(
            asha.actor, stored.id, *asha.answer(stored)
        )
        found: str = (await self.call(SAVE, **wish))["beneficiary"]["id"]
        return found

    def to(self, payee: str, minor: int = 250_00, **more: object) -> dict[str, Any]:
        """Ask to pay a payee, or to quote that."""
        return {
            "fromAccountId": str(self.town.current.id),
            "to": {"beneficiaryId": payee},
            "amount": {"minorUnits": str(minor), "currency": "INR"},
        } | more

    async def rows(self) -> dict[str, int]:
        """Count what must not grow."""
        return await self.town.bank.everything_of(*NOTHING_MOVED)

    async def under_way(self, minor: int = 250_00) -> Payment:
        """Pay Dev as far as the rail; it has taken the order and not said more."""
        wish = self.to(await self.saved(), minor, idempotencyKey=a_key())
        made = await self.call(CREATE, **wish)
        bank, asha = self.town.bank, self.town.asha
        found = await bank.now(PaymentId.parse(made["payment"]["id"]))
        challenge = await bank.challenge(asha, found)
        await bank.transfers.approve(asha.actor, challenge.id, *asha.answer(challenge))
        bank.clock.move(seconds=10)  # a first payment to a payee may be stopped so long
        await bank.carried_on()
        return await bank.now(found.id)


def codes(answer: dict[str, Any]) -> list[str]:
    """Give the codes of the refusals."""
    return [no["code"] for no in answer["userErrors"]]


@asynccontextmanager
async def a_bank_abroad(
    settings: Settings, clock: StoppedClock, vault: Vault, rail: Instant
) -> AsyncIterator[Abroad]:
    """Give Asha a bank that reaches others by one rail."""
    outside = Outside(core=lambda core: core, rails={"IMPS": rail})
    async with open_bank(settings, clock, vault, outside) as opened:
        yield Abroad(town=await a_town(opened), rail=rail)
