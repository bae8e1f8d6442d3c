"""A whole bank over a remote core: Fineract's double in a process of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette

from app import desk, webhooks, worker
from app.accounts.account import Account
from app.accounts.transactions import PageQuery
from app.auth.standing import NewCustomer
from app.bank import Bank, open_bank
from app.errors import NotFound, NotSupported
from app.ids import CustomerId, uuid7
from app.integrations.core_banking import Narrative
from app.integrations.outcome import Ok, OpRef
from app.money import Money
from app.payments import concord
from app.payments.lifecycle import State
from app.realtime import log
from app.schema import root
from app.schema.context import Context
from app.schema.execution import Call, Engine
from app.settings import Settings
from tests.accounts.far_world import forget
from tests.integrations.fineract_rig import FineractRig, core_banking
from tests.test_freeze import Town as Payer
from tests.test_freeze import a_phone, run
from tests.test_statements import STAFF, signed_in, text_of

SECRET = "a-secret-that-only-the-core-knows-0001"
HOOK = f"/hooks/fineract/{SECRET}"
BLOCK = "SIXPENCE_CORE_BANKING_FINERACT_"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FineractRig]:
    with core_banking(tmp_path_factory.mktemp("fineract")) as found:
        yield found


@dataclass
class Town:
    """A bank over the double, and a customer of both."""

    bank: Bank
    rig: FineractRig
    number: str
    customer: CustomerId

    async def linked(self, *minors: int) -> list[Account]:
        """Let the core open accounts, and take them into our list."""
        moneys = [Money(minor, "INR") for minor in minors]
        self.rig.open_several(self.number, moneys)
        await desk.customers_link(self.bank, STAFF, self.number)
        return await self.bank.accounts.of_customer(self.customer)

    async def settled(self) -> None:
        """Return when no look is under way."""
        assert self.bank.feed is not None
        await self.bank.feed.settled(10)

    async def home(self) -> list[dict[str, Any]]:
        """Ask for the home screen, as a phone does."""
        engine = Engine(
            root.SCHEMA, self.bank.settings, self.bank.clock, self.bank.callers.charge
        )
        variables: dict[str, object] = {
            "platform": "ANDROID",
            "version": "1.0.0",
            "first": 25,
        }
        context = Context(self.bank, signed_in(self.customer), "0" * 16)
        answer = await engine.run(context, Call(text_of("home"), variables=variables))
        assert "errors" not in answer.body, answer.body
        told = cast("dict[str, Any]", answer.body["data"])
        return cast("list[dict[str, Any]]", told["me"]["accounts"])

    def calls(self) -> int:
        """Count the HTTP calls that reached the core, but for its health."""
        return sum("health" not in one.target for one in self.rig.tap.requests)

    async def named(self) -> list[str]:
        """Name what the customer's phones were told, oldest first."""
        found = await log.read_after(self.customer, 0, 100)
        return [type(event.fact).__name__ for event in found]


@pytest.fixture
async def town(
    settings: Settings,
    rig: FineractRig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Town]:
    secret = tmp_path / "hook"
    secret.write_text(SECRET)
    own = rig.settings()
    monkeypatch.setenv(f"{BLOCK}BASE_URL", str(own.base_url))
    monkeypatch.setenv(f"{BLOCK}PASSWORD_FILE", str(own.password_file))
    monkeypatch.setenv(f"{BLOCK}HOOK_SECRET_FILE", str(secret))
    chosen = settings.model_copy(update={"core_banking": "fineract"})
    number = (await rig.customer()).number
    new = NewCustomer(name="Asha Rao", phone="+919876543210", number=number)
    async with open_bank(chosen, frozenset()) as bank:
        added = await desk.customers_add(bank, STAFF, new)
        yield Town(bank, rig, number, added.id)


async def test_a_cold_home_screen_is_two_calls_at_most_and_a_warm_one_none(
    town: Town,
) -> None:
    await town.linked(*range(100, 1300, 100))
    await town.settled()
    await forget()
    before = town.calls()

    cold = await town.home()
    after_cold = town.calls()
    warm = await town.home()
    await town.settled()

    assert after_cold - before <= 2
    assert town.calls() == after_cold
    assert len(cold) == 12
    assert warm == cold


async def test_a_payment_moves_both_sides_and_is_told(town: Town) -> None:
    payer, payee = await town.linked(1000, 0)
    await town.settled()
    words = Narrative("Rent", payer_name="Asha Rao", payee_name="Ben Okafor")

    outcome = await town.bank.core.transfer(
        OpRef(uuid7(), b"body".ljust(32)),
        payer.ref,
        payee.ref,
        Money(250, "INR"),
        words,
    )
    await town.settled()

    assert isinstance(outcome, Ok)
    found = await town.bank.balances.of([payer, payee])
    assert [found[one.id].available.minor for one in (payer, payee)] == [750, 250]
    assert sorted(await town.named()) == [
        "BalanceChanged",
        "BalanceChanged",
        "TransactionPosted",
        "TransactionPosted",
    ]


async def test_a_hook_is_a_hint_to_look(town: Town) -> None:
    account = (await town.linked(1000))[0]
    await town.settled()
    app = Starlette(routes=webhooks.ROUTES)
    app.state.bank = town.bank
    own = town.rig.found(account.ref)
    assert str(own["id"]) == account.ref
    before = town.calls()

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://bank"
    ) as core:
        wrong = await core.post(f"{HOOK}x", json={"savingsId": int(account.ref)})
        other = await core.post(HOOK.replace("fineract", "obp"), json={})
        await town.settled()
        unmoved = town.calls() - before
        unknown = await core.post(HOOK, json={"savingsId": 999_999_999})
        no_words = await core.post(HOOK, content=b"{")
        no_account = await core.post(HOOK, json={"officeId": 1})
        too_long = await core.post(HOOK, content=b" " * 70_000)
        await town.settled()
        still = town.calls() - before
        right = await core.post(HOOK, json={"savingsId": int(account.ref)})
        await looked(town, before)

    assert (wrong.status_code, other.status_code) == (404, 404)
    assert (unmoved, still) == (0, 0)
    assert [one.status_code for one in (unknown, no_words, no_account)] == [202] * 3
    assert too_long.status_code == 413
    assert right.status_code == 202


async def looked(town: Town, before: int) -> None:
    """Return when the core was looked at."""
    end = time.monotonic() + 5
    while town.calls() == before:
        assert time.monotonic() < end, "nobody looked"
        await asyncio.sleep(0.02)


async def test_accounts_without_external_id_are_named(town: Town) -> None:
    town.rig.open(town.number, Money(5, "INR"), externalId=None)

    done = await desk.customers_link(town.bank, STAFF, town.number)

    assert (done.new, done.all) == (1, 1)
    assert town.bank.links is not None
    (named,) = await town.bank.links.without_holds()
    assert named.endswith(" Everyday")


async def test_nobody_is_linked_by_a_wrong_number(town: Town) -> None:
    with pytest.raises(NotFound):
        await desk.customers_link(town.bank, STAFF, "99999999")

    assert await town.bank.accounts.of_customer(town.customer) == []


async def test_a_core_of_ours_links_nothing_and_hears_no_hook(
    settings: Settings,
) -> None:
    async with open_bank(settings, frozenset()) as bank:
        new = NewCustomer(name="Asha", phone="+919876543210", number="10000001")
        await desk.customers_add(bank, STAFF, new)
        app = Starlette(routes=webhooks.ROUTES)
        app.state.bank = bank
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://bank"
        ) as core:
            heard = await core.post(HOOK, json={"savingsId": 1})

        with pytest.raises(NotSupported):
            await desk.customers_link(bank, STAFF, "10000001")

    assert heard.status_code == 404
    assert bank.feed is None


async def test_payments_are_compared_with_the_rows_of_the_core(town: Town) -> None:
    everyday, savings = await town.linked(1000, 0)
    await town.settled()
    phone = await a_phone(town.bank, town.customer)
    asha = Payer(bank=town.bank, phone=phone, everyday=everyday, savings=savings)
    waiting = await asha.waiting(250)
    challenge = await town.bank.transfers.challenge_of(asha.actor, waiting)
    assert challenge is not None
    paid = await town.bank.transfers.approve(
        asha.actor, challenge.id, *phone.answer(challenge)
    )
    await town.settled()
    assert town.bank.feed is not None
    town.bank.feed.soon([everyday])
    await town.settled()

    sound = await differing(town.bank)
    await run("UPDATE mirror_cursor SET place = '20'")
    await run("UPDATE mirror_transaction SET amount = 249 WHERE direction = 'OUT'")
    unsure = await differing(town.bank)
    await run("UPDATE mirror_cursor SET place = NULL")
    wrong = await differing(town.bank)

    assert paid.state is State.SETTLED
    assert (sound, unsure, wrong) == ([], [], [paid.id.value])


async def differing(bank: Bank) -> list[UUID]:
    """Compare every operation of every payment."""
    return await concord.differing(bank.core, bank.sheet, await concord.after(None))


async def test_the_worker_lists_looks_and_reads_on(town: Town) -> None:
    assert town.bank.feed is not None
    assert town.bank.links is not None
    town.rig.open(town.number, Money(9_000, "INR"), history=60)

    await worker.links(town.bank.links)()
    await town.settled()
    await worker.histories(town.bank.feed)()
    await worker.polls(town.bank.feed)()

    (account,) = await town.bank.accounts.of_customer(town.customer)
    pages = await town.bank.transactions.pages([account], PageQuery(size=100))
    assert len(pages[account.id].rows) == 60
    assert await town.named() == []
