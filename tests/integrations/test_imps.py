"""The IMPS adapter: what it sends, what it believes, and what each "no" means."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import stamina
from structlog.testing import capture_logs

from app.clock import StoppedClock
from app.errors import Outage
from app.integrations.breaker import BreakerState
from app.integrations.http import Partner
from app.integrations.outcome import (
    AuthFailed,
    BreakerOpen,
    ContractBroken,
    Ok,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from app.integrations.rails import (
    PayeeAddress,
    PaymentOrder,
    RailAnswer,
    RailStatus,
    imps,
)
from app.integrations.webhooks.standard import StandardWebhooks
from app.money import Money
from tests.integrations.rail_benches import AT, KNOWN, an_op, context
from tests.integrations.wire import a_partner_that, a_port_where_nobody_listens, says

OP = an_op("imps")
RRN = "632612000001"
ORDER = PaymentOrder(
    payment=OP.id,
    src="payer",
    dst="",
    amount=Money(250_10, "INR"),
    memo="Transfer",
    reference="Rent",
    payer_name="Asha Rao",
    payer_masked="••••1234",
    payee_name="Dev Malhotra",
    payee_masked="••••0001",
    scheme="IMPS",
    payee_address=KNOWN,
    payee_bank_code="SAND0000001",
)
SAID = {
    "id": str(OP.id),
    "status": "SETTLED",
    "rrn": RRN,
    "at": "2026-11-21T09:30:00.000Z",
    "amount": 250.1,
    "currency": "INR",
}
ADDRESS = PayeeAddress(scheme="IMPS", number=KNOWN, bank_code="SAND0000001")


def a_rail(url: str) -> imps.Imps:
    """Open the rail at an address."""
    clock = StoppedClock(AT)
    return imps.Imps(Partner("imps", url, clock=clock), clock, StandardWebhooks(()))


async def answered(status: int, body: object) -> tuple[Outcome[RailAnswer], bytes]:
    """Submit to a partner that answers so; gives the outcome and what was sent."""
    async with a_partner_that(says(status, json.dumps(body))) as raw:
        rail = a_rail(raw.url)
        try:
            return await rail.submit(OP, ORDER), raw.requests[0]
        finally:
            await rail.close()


async def test_an_order_carries_its_op_as_the_key_and_its_money_as_digits() -> None:
    outcome, sent = await answered(200, SAID)

    head, _, raw = sent.partition(b"\r\n\r\n")
    assert f"idempotency-key: {OP.id}".encode() in head.lower()
    assert json.loads(raw, parse_float=Decimal) == {
        "id": str(OP.id),
        "amount": Decimal("250.10"),
        "currency": "INR",
        "payer": {"name": "Asha Rao", "account": "••••1234"},
        "payee": {
            "name": "Dev Malhotra",
            "account": KNOWN,
            "ifsc": "SAND0000001",
        },
        "reference": "Rent",
    }
    at = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    assert outcome == Ok(RailAnswer(RailStatus.SETTLED, at), RRN)


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        ("REJECTED", "INSUFFICIENT_FUNDS", PortCode.INSUFFICIENT_FUNDS),
        ("REJECTED", "ACCOUNT_CLOSED", PortCode.PAYEE_INVALID),
        ("RETURNED", "RETURNED_BY_PAYEE_BANK", PortCode.PAYEE_INVALID),
        ("REJECTED", "A_NEW_WORD", PortCode.NOT_SUPPORTED),
        ("DEEMED", None, None),
    ],
)
async def test_a_word_of_the_rail_is_put_into_ours(
    status: str, reason: str | None, code: PortCode | None
) -> None:
    by = {"expectedBy": "2026-11-21T09:30:30Z"} if status == "DEEMED" else {}
    outcome, _ = await answered(200, SAID | {"status": status, "reason": reason} | by)

    assert isinstance(outcome, Ok)
    assert (outcome.value.status, outcome.value.code) == (RailStatus(status), code)
    assert (outcome.value.expected_by is None) == (not by)


@pytest.mark.parametrize(
    ("told", "logged"),
    [
        ("A_NEW_WORD", "A_NEW_WORD"),
        ("PAYEE NAKUL MEHTA REFUSED", "unlisted"),
        ("Nakul", "unlisted"),
        ("A" * 33, "unlisted"),
        ("A_NEW_WORD\n", "unlisted"),
        (["NAKUL"], "unlisted"),
        (None, "unlisted"),
    ],
)
async def test_of_a_strange_reason_only_a_code_reaches_the_log(
    told: object, logged: str
) -> None:
    with capture_logs() as logs:
        outcome, _ = await answered(200, SAID | {"status": "REJECTED", "reason": told})

    assert isinstance(outcome, Ok)
    assert outcome.value.code is PortCode.NOT_SUPPORTED
    found = [one for one in logs if one["event"] == "rail_reason_unlisted"]
    assert [one["reason"] for one in found] == [logged]
    assert "nakul" not in str(logs).lower()


@pytest.mark.parametrize(
    ("number", "bank_code", "ours", "reached"),
    [
        (KNOWN, "SAND0000001", False, True),
        ("1" * 9, "SAND0ABC123", False, True),
        ("1" * 18, "SAND0000001", False, True),
        (KNOWN, "SAND0000001", True, False),
        (KNOWN, "DEUTDEFF", False, False),
        (KNOWN, "sand0000001", False, False),
        (KNOWN, "SAND1000001", False, False),
        ("1" * 8, "SAND0000001", False, False),
        ("1" * 19, "SAND0000001", False, False),
        ("4099A0000001", "SAND0000001", False, False),
        ("\u0661" * 12, "SAND0000001", False, False),
    ],
)
def test_it_recognises_indian_accounts_of_other_banks(
    number: str,
    bank_code: str,
    ours: bool,  # noqa: FBT001  -- pytest parameter
    reached: bool,  # noqa: FBT001  -- pytest parameter
) -> None:
    rail = a_rail("http://127.0.0.1:1")

    found = rail.address_of(number, bank_code, ours=ours)

    here = PayeeAddress(scheme="IMPS", number=number, bank_code=bank_code)
    assert found == (here if reached else None)


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_the_door_refuses_is_rejected(status: int) -> None:
    outcome, _ = await answered(status, {"code": "AMOUNT_INVALID"})

    assert outcome == Rejected(PortCode.VALIDATION, detail=f"status {status}")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, {"code": "ID_USED"}),  # something lies under this id: ask what
        (404, {}),
        (418, {}),
        (200, []),
        (200, SAID | {"id": str(an_op("another").id)}),
        (200, SAID | {"amount": 250.11}),
        (200, SAID | {"currency": "USD"}),
        (200, SAID | {"amount": "250.10"}),
        (200, SAID | {"status": "UNKNOWN"}),
        (200, SAID | {"status": "PAID"}),
        (200, SAID | {"rrn": "12345"}),
        (200, SAID | {"rrn": None}),
        (200, SAID | {"at": "yesterday"}),
        (200, SAID | {"at": "2026-11-21T09:30:00"}),
    ],
)
async def test_what_proves_nothing_is_unknown(status: int, body: object) -> None:
    outcome, _ = await answered(status, body)

    assert isinstance(outcome, Unknown)


async def test_a_refused_key_is_a_matter_for_operations() -> None:
    with pytest.raises(AuthFailed):
        await answered(403, {})


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (424, {"code": "BANK_UNAVAILABLE"}, Outage),
        (500, {}, Outage),
        (401, {}, AuthFailed),
        (200, {"name": "Dev"}, ContractBroken),
        (200, [], ContractBroken),
    ],
)
async def test_a_name_that_is_not_told_is_an_outage(
    status: int, body: Any, failure: type[Exception]
) -> None:
    async with a_partner_that(says(status, json.dumps(body))) as raw:
        rail = a_rail(raw.url)
        with pytest.raises(failure):
            await rail.resolve_payee(ADDRESS)
        await rail.close()


async def test_a_status_that_is_not_told_is_unknown_or_an_outage() -> None:
    async with a_partner_that(says(404, "{}")) as raw:  # a proxy's, not the rail's
        rail = a_rail(raw.url)
        found = await rail.status(OP, replace(context(250_10)))
        await rail.close()

    assert isinstance(found, Unknown)


async def test_a_rail_that_has_failed_of_late_is_not_begun_with() -> None:
    rail = a_rail(a_port_where_nobody_listens())
    with stamina.set_testing(True, attempts=1):
        while rail.partner.breaker.state is BreakerState.CLOSED:
            with pytest.raises(Outage):
                await rail.resolve_payee(ADDRESS)

    with pytest.raises(BreakerOpen) as refused:
        await rail.quote(ORDER)

    assert refused.value.component == "TRANSFERS"
    assert refused.value.retry_after_s in range(1, 6)
