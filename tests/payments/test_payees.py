"""Payees are saved only with an approval that shows whom exactly."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from app import database
from app.auth.challenge import Challenge
from app.auth.errors import StepUpRequired
from app.clock import StoppedClock
from app.errors import (
    Conflict,
    IdempotencyKeyReused,
    NotFound,
    Refusal,
    ValidationFailed,
)
from app.holders import Holders
from app.ids import BeneficiaryId, MalformedId
from app.integrations.rails.on_us import OnUs
from app.payments.beneficiary import BeneficiaryRequest, Saved
from app.payments.errors import PayeeRejected
from app.realtime.facts import BeneficiaryChanged
from app.settings import Settings
from app.vault import Vault
from tests.payments.handset import Phone
from tests.payments.town import Town, a_town
from tests.payments.world import (
    NOTHING_MOVED,
    a_key,
    a_staff_view,
    facts_of,
    open_bank,
)


async def another(town: Town, **changes: object) -> BeneficiaryRequest:
    """Ask to save a second account of Ben's customer."""
    account = await town.bank.an_account(town.bens.customer)
    request = await town.bank.payee_request(account, name="Ben O.", nickname="Work")
    return replace(request, **changes)  # type: ignore[arg-type]  # by name


async def step_up(town: Town, phone: Phone, request: BeneficiaryRequest) -> Challenge:
    """Expect to be asked for an approval."""
    with pytest.raises(StepUpRequired) as needed:
        await town.bank.payees.create(phone.actor, request)
    return needed.value.challenge


async def approve(town: Town, phone: Phone, challenge: Challenge) -> None:
    """Answer a step-up."""
    await town.bank.step_ups.answer(phone.actor, challenge.id, *phone.answer(challenge))


async def test_a_payee_is_saved_after_an_approval_that_shows_the_full_number(
    town: Town,
) -> None:
    request = await another(town)

    challenge = await step_up(town, town.asha, request)
    assert (await town.bank.payees.page(town.asha.actor, first=9))[0] == [town.payee]
    payload = orjson.loads(challenge.payload)
    await approve(town, town.asha, challenge)
    saved = await town.bank.payees.create(town.asha.actor, request)

    assert payload["operation"] == "beneficiaryCreate"
    assert payload["input"]["payee"]["account"]["accountNumber"] == (
        request.account_number
    )
    assert payload["input"]["name"] == "Ben O."
    assert request.account_number in payload["summary"]
    assert not saved.replayed
    now = town.bank.clock.now()
    assert saved.beneficiary.cooling_until == now + timedelta(days=1)
    assert saved.beneficiary.masked_account == f"••••{request.account_number[-4:]}"
    told = await facts_of(saved.beneficiary.customer)
    changed = [fact for fact in told if isinstance(fact, BeneficiaryChanged)]
    assert changed[-1].beneficiary == saved.beneficiary.shot()


async def test_the_number_rests_sealed_and_is_found_again_by_its_hash(
    town: Town,
) -> None:
    numbers = await town.bank.accounts.numbers(
        a_staff_view(town.bens.customer), [town.bens.id]
    )
    row = await database.read_one(
        "SELECT * FROM beneficiary WHERE id = $1", town.payee.id
    )

    assert row is not None
    plain = numbers[town.bens.id]
    assert plain.encode() not in row.get("address_enc", bytes)
    assert plain.encode() not in row.get("address_hash", bytes)
    found = await town.bank.payees.address(town.payee.customer, town.payee.id)
    assert found is not None
    assert found[1].number == plain
    assert plain not in repr(found)


async def test_an_identical_call_that_is_pending_gets_the_same_challenge(
    town: Town,
) -> None:
    request = await another(town)

    first = await step_up(town, town.asha, request)
    again = await step_up(town, town.asha, request)

    assert again.id == first.id


async def test_an_approval_covers_only_the_facts_it_showed(town: Town) -> None:
    request = await another(town)
    await approve(town, town.asha, await step_up(town, town.asha, request))

    for other in (
        replace(request, name="Mallory"),
        replace(request, nickname="Home"),
        await another(town, key=request.key),
    ):
        await step_up(town, town.asha, other)

    assert (await town.bank.everything_of("beneficiary"))["beneficiary"] == 1


async def test_an_approval_is_used_once(town: Town) -> None:
    request = await another(town)
    await approve(town, town.asha, await step_up(town, town.asha, request))
    saved = await town.bank.payees.create(town.asha.actor, request)
    await town.bank.payees.delete(town.asha.actor, str(saved.beneficiary.id))

    await step_up(town, town.asha, replace(request, key=a_key()))

    assert (await town.bank.payees.page(town.asha.actor, first=9))[0] == [town.payee]


async def test_a_lost_reply_is_answered_again_without_a_second_approval(
    town: Town,
) -> None:
    request = await another(town)
    await approve(town, town.asha, await step_up(town, town.asha, request))
    first = await town.bank.payees.create(town.asha.actor, request)

    again = await town.bank.payees.create(town.asha.actor, request)

    assert again == Saved(first.beneficiary, replayed=True)


async def test_many_approved_calls_at_once_save_one_payee(town: Town) -> None:
    request = await another(town)
    await approve(town, town.asha, await step_up(town, town.asha, request))

    answers = await asyncio.gather(
        *(town.bank.payees.create(town.asha.actor, request) for _ in range(20))
    )

    assert len({answer.beneficiary.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert (await town.bank.everything_of("beneficiary"))["beneficiary"] == 2


async def test_a_key_with_other_facts_is_refused(town: Town) -> None:
    request = await another(town)
    await approve(town, town.asha, await step_up(town, town.asha, request))
    await town.bank.payees.create(town.asha.actor, request)

    with pytest.raises(IdempotencyKeyReused):
        await town.bank.payees.create(
            town.asha.actor, replace(request, nickname="Other")
        )


@pytest.mark.parametrize(
    ("changes", "kind", "field"),
    [
        ({"account_number": "50109999999999"}, PayeeRejected, "accountNumber"),
        ({"bank_code": "OTHR0000001"}, PayeeRejected, "accountNumber"),
        ({"account_number": "12"}, ValidationFailed, "accountNumber"),
        ({"account_number": "5010; DROP TABLE"}, ValidationFailed, "accountNumber"),
        ({"account_number": "x" * 35}, ValidationFailed, "accountNumber"),
        ({"nickname": " "}, ValidationFailed, "nickname"),
        ({"nickname": "x" * 41}, ValidationFailed, "nickname"),
        ({"name": ""}, ValidationFailed, "name"),
        ({"name": "x" * 71}, ValidationFailed, "name"),
        ({"name": "a\nb"}, ValidationFailed, "name"),
    ],
)
async def test_nobody_is_asked_to_sign_what_will_be_refused(
    town: Town, changes: dict[str, str], kind: type[Exception], field: str
) -> None:
    request = await another(town, **changes)
    before = await town.bank.everything_of(*NOTHING_MOVED)

    with pytest.raises(kind) as caught:
        await town.bank.payees.create(town.asha.actor, request)

    assert getattr(caught.value, "field")[-1] == field  # noqa: B009  -- of any refusal
    assert await town.bank.everything_of(*NOTHING_MOVED) == before


async def test_an_own_account_is_no_payee_and_a_payee_is_saved_once(
    town: Town,
) -> None:
    mine = await town.bank.payee_request(town.savings)
    again = await town.bank.payee_request(town.bens, nickname="Twin")
    spaced = replace(again, account_number=" ".join(again.account_number))
    before = await town.bank.everything_of(*NOTHING_MOVED)

    with pytest.raises(ValidationFailed):
        await town.bank.payees.create(town.asha.actor, mine)
    with pytest.raises(Conflict):
        await town.bank.payees.create(town.asha.actor, again)
    with pytest.raises(Conflict):
        await town.bank.payees.create(town.asha.actor, spaced)

    assert await town.bank.everything_of(*NOTHING_MOVED) == before


async def test_a_payee_of_this_bank_is_looked_up_once(town: Town) -> None:
    bank = town.bank
    holders = Holders(accounts=bank.accounts, customers=bank.customers)
    bank.rails["INTERNAL"] = OnUs(bank.core, bank.clock, holders)
    mine = await bank.payee_request(town.savings)
    request = await another(town, name="Ben Okafor")

    async with database.watched_statements() as seen:
        await step_up(town, town.asha, request)
    with pytest.raises(ValidationFailed):
        await bank.payees.create(town.asha.actor, mine)

    assert sum("number_lookup = " in one for one in seen) == 1


async def test_an_account_that_no_rail_pays_to_is_no_payee(town: Town) -> None:
    request = await another(town)
    del town.bank.rails["INTERNAL"]
    before = await town.bank.everything_of(*NOTHING_MOVED)

    with pytest.raises(PayeeRejected):
        await town.bank.payees.create(town.asha.actor, request)

    assert await town.bank.everything_of(*NOTHING_MOVED) == before


async def test_nobody_tries_numbers_of_this_bank_without_end(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    strict = bank_database.model_copy(update={"limit_factor": 1})

    async with open_bank(strict, clock, vault) as opened:
        town = await a_town(opened)
        request = await another(town)
        noes: list[str] = []
        for number in range(21):
            guess = replace(request, account_number=f"501099999999{number:02}")
            with pytest.raises(Refusal) as refused:
                await opened.payees.create(town.asha.actor, guess)
            noes.append(type(refused.value).__name__)

    assert set(noes) == {"PayeeRejected", "RateLimited"}
    assert noes == sorted(noes)


async def test_the_same_number_approved_twice_at_once_is_saved_once(
    town: Town,
) -> None:
    account = await town.bank.an_account(town.bens.customer)
    requests = [await town.bank.payee_request(account, nickname=name) for name in "AB"]
    for request in requests:
        await approve(town, town.asha, await step_up(town, town.asha, request))

    answers = await asyncio.gather(
        *(town.bank.payees.create(town.asha.actor, request) for request in requests),
        return_exceptions=True,
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Saved"]
    assert (await town.bank.everything_of("beneficiary"))["beneficiary"] == 2


async def test_a_deleted_payee_is_gone_and_may_be_saved_again(town: Town) -> None:
    deleted = await town.bank.payees.delete(town.asha.actor, str(town.payee.id))
    told = len(await facts_of(town.payee.customer))
    again = await town.bank.payees.delete(town.asha.actor, str(town.payee.id))

    assert deleted == again == town.payee.id
    last = (await facts_of(town.payee.customer))[-1]
    assert isinstance(last, BeneficiaryChanged)
    assert (last.beneficiary, last.beneficiary_id) == (None, str(town.payee.id))
    assert len(await facts_of(town.payee.customer)) == told
    assert await town.bank.payees.by_ids(town.asha.actor, [town.payee.id]) == {}
    saved = await town.bank.a_payee(town.asha, town.bens)
    assert saved.id != town.payee.id


async def test_nobody_sees_or_deletes_a_strangers_payee(town: Town) -> None:
    payees = town.bank.payees

    assert await payees.page(town.ben.actor, first=9) == ([], False)
    assert await payees.by_ids(town.ben.actor, [town.payee.id]) == {}
    for wrong in (str(town.payee.id), str(BeneficiaryId.new())):
        with pytest.raises(NotFound):
            await payees.delete(town.ben.actor, wrong)
    with pytest.raises(MalformedId):
        await payees.delete(town.ben.actor, "ben_")

    assert (await payees.page(town.asha.actor, first=9))[0] == [town.payee]


async def test_payees_are_paged_newest_first_and_searched(town: Town) -> None:
    names = ["Ünal Energy", "100% Gym", "Under_score"]
    for name in names:
        account = await town.bank.an_account(town.bens.customer)
        await town.bank.a_payee(town.asha, account, name=name)
    payees, asha = town.bank.payees, town.asha.actor

    first, more = await payees.page(asha, first=3)
    rest, end = await payees.page(asha, first=3, after=first[-1].id)
    percent, _ = await payees.page(asha, first=9, search="100%")
    any_sign, _ = await payees.page(asha, first=9, search="_")
    by_mask, _ = await payees.page(asha, first=9, search=town.payee.masked_account[-4:])

    assert [one.name for one in first] == names[::-1]
    assert ([one.id for one in rest], more, end) == ([town.payee.id], True, False)
    assert [one.name for one in percent] == ["100% Gym"]
    assert [one.name for one in any_sign] == ["Under_score"]
    assert town.payee.id in {one.id for one in by_mask}
