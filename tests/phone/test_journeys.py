"""The demo: any number of times, and honest when something is wrong."""

from mock_mobile_client.errors import ProofFailed, Refused
from mock_mobile_client.journeys import SCENARIO, StepReport, play
from mock_mobile_client.store import MemoryStore
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Account

TITLES = [title for title, _ in SCENARIO]
BEFRIEND = TITLES.index("Asha adds Ben as payee by step-up")
SEE_IT = TITLES.index("both balances moved on both phones, unasked")


async def demo(fake: Fake, store: MemoryStore) -> list[StepReport]:
    told: list[StepReport] = []
    asha, ben = fake.phone("Asha-1", store), fake.phone("Ben-1", store)
    reports = await play(asha, ben, told.append)
    assert told == reports
    return reports


async def test_the_demo_passes_twice_and_leaves_the_balances(fake: Fake) -> None:
    store = MemoryStore()

    first = await demo(fake, store)
    second = await demo(fake, store)

    assert [report.error for report in first + second] == [None] * 2 * len(SCENARIO)
    assert "already bound" in second[0].note
    assert second[1].note == "already set, already set"
    assert second[BEFRIEND].note.endswith("already saved")
    accounts = [a for customer in fake.bank.customers for a in customer.accounts]
    assert [a.minor for a in accounts] == [4_825_000, 12_000_000, 931_050]
    assert len(fake.bank.devices) == 2


async def test_a_run_spends_at_most_a_hundred_rupees(fake: Fake) -> None:
    await demo(fake, MemoryStore())

    asha = fake.bank.customers[0]
    spent = sum(
        payment["plan"][2]
        for payment in fake.bank.payments.values()
        if payment["status"] == "SETTLED" and payment["plan"][0] in asha.accounts
    )
    assert 0 < spent <= 10_000


async def test_a_doubled_debit_ends_the_demo(fake: Fake) -> None:
    publish = fake.bank.publish

    def twice(account: Account) -> None:
        if account.name == "Everyday" and account.version == 2:
            account.minor -= 1
        publish(account)

    fake.bank.publish = twice  # type: ignore[method-assign]  # the bank's mistake

    reports = await demo(fake, MemoryStore())

    assert reports[-1].number == SEE_IT + 1
    assert isinstance(reports[-1].error, ProofFailed)


async def test_a_refusal_ends_the_demo_at_its_step(fake: Fake) -> None:
    fake.bank.customers[1].code = "AAAA-AAAA-AAAA"

    reports = await demo(fake, MemoryStore())

    assert [report.number for report in reports] == [1]
    error = reports[0].error
    assert isinstance(error, Refused)
    assert (error.code, error.request_id) == ("INVALID_CREDENTIAL", "req-1")
