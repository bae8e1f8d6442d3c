"""Proofs 3 and 4 hold against a right bank and fail against a wrong one."""

from collections.abc import Callable

import pytest

from mock_mobile_client import proofs_live, proofs_resume
from mock_mobile_client.errors import NotSeen, ProofFailed
from mock_mobile_client.handset import Setting
from mock_mobile_client.live import Live
from mock_mobile_client.proofs_live import percentile, proof_03
from mock_mobile_client.proofs_resume import proof_04
from tests.phone import fake_live
from tests.phone.conftest import ROUNDS, Fake
from tests.phone.fake_parts import Customer, Node

pytestmark = pytest.mark.slow  # begun first: waits long

QUICK = Setting(iterations=ROUNDS)
AT_FIRST = [4_825_000, 12_000_000, 931_050]


def minor(fake: Fake) -> list[int]:
    return [a.minor for customer in fake.bank.customers for a in customer.accounts]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come is not awaited for long."""
    until = Live.until

    async def soon(
        live: Live, met: Callable[[], bool], what: str, timeout_s: float = 1.0
    ) -> None:
        await until(live, met, what, min(timeout_s, 1.0))

    monkeypatch.setattr(Live, "until", soon)
    monkeypatch.setattr(proofs_live, "TIMES", 2)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer changes; the full figures would only take time."""
    monkeypatch.setattr(proofs_resume, "CHANGES", 20)
    monkeypatch.setattr(proofs_resume, "REPLAYED_MAX", 60)
    monkeypatch.setattr(fake_live, "REPLAYED_MAX", 60)


async def test_proof_three_holds_and_tells_its_figure(fake: Fake) -> None:
    told: list[str] = []

    await proof_03(fake.url, fake.url, QUICK, told.append)

    assert told[0] == "20 payments: Asha-2 and Ben-1 saw each of them, unasked"
    assert told[1].startswith("commit to frame: p95 ")
    assert " of 100, " in told[1]
    assert minor(fake) == AT_FIRST


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["PaymentChanged", "TransactionPosted"])
async def test_proof_three_finds_a_bank_that_tells_too_little(
    fake: Fake, kind: str
) -> None:
    append = fake.bank.append

    def silent(customer: Customer, event: Node) -> None:
        withheld = {"__typename": "EventWithheld", "reason": "none"}
        append(customer, withheld if event["__typename"] == kind else event)

    fake.bank.append = silent  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(NotSeen, match=kind):
        await proof_03(fake.url, fake.url, QUICK)


async def test_proof_four_holds_and_leaves_the_balances(fake: Fake) -> None:
    told: list[str] = []

    await proof_04(fake.url, fake.url, QUICK, told.append)

    assert [line.partition(":")[0] for line in told] == [
        "cut off for 100 changes",
        "501 behind",
        "Ben's cursor",
        "broken",
        "15 days later",
    ]
    assert "EXPIRED" in told[-1]
    assert minor(fake) == AT_FIRST
    assert fake.bank.offset_s == 15 * 86_400


@pytest.mark.usefixtures("few")
async def test_proof_four_skips_what_needs_a_movable_clock(fake: Fake) -> None:
    fake.bank.movable = False
    told: list[str] = []

    await proof_04(fake.url, fake.url, QUICK, told.append)

    assert told[-1] == "15 days later: needs a movable clock: skipped, partly"
    assert minor(fake) == AT_FIRST


@pytest.mark.usefixtures("few")
async def test_proof_four_finds_a_bank_that_skips_what_was_missed(fake: Fake) -> None:
    openings = fake.bank.openings

    def forgetful(customer: Customer, after: str | None) -> list[Node]:
        frames = openings(customer, after)
        return frames if len(frames) < 10 else [frames[0], *frames[5:]]

    fake.bank.openings = forgetful  # type: ignore[method-assign]  # a silent hole

    with pytest.raises(NotSeen, match="is missing"):
        await proof_04(fake.url, fake.url, QUICK)


@pytest.mark.usefixtures("few")
async def test_proof_four_finds_a_bank_that_repeats_itself(fake: Fake) -> None:
    openings = fake.bank.openings

    def stammering(customer: Customer, after: str | None) -> list[Node]:
        frames = openings(customer, after)
        return [*frames[:2], *frames[1:]] if len(frames) > 2 else frames

    fake.bank.openings = stammering  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="what came twice"):
        await proof_04(fake.url, fake.url, QUICK)


@pytest.mark.usefixtures("few")
async def test_proof_four_finds_a_bank_that_resumes_a_foreign_cursor(
    fake: Fake,
) -> None:
    openings = fake.bank.openings

    def trusting(customer: Customer, after: str | None) -> list[Node]:
        if after is not None and after.split(".")[1] != customer.number:
            after = customer.cursor(len(customer.events))
        return openings(customer, after)

    fake.bank.openings = trusting  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="EPOCH_CHANGED"):
        await proof_04(fake.url, fake.url, QUICK)


def test_a_percentile_is_one_of_the_figures() -> None:
    assert percentile([float(n) for n in range(1, 101)], 95) == 95.0
    assert percentile([7.0], 95) == 7.0
    with pytest.raises(ProofFailed):
        percentile([], 95)
