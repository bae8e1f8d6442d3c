"""Answers that no proper Fineract would give, and versions that tell less."""

import json
from decimal import Decimal

import pytest

from app.clock import StoppedClock
from app.ids import CustomerId
from app.integrations.core_banking import (
    CoreCustomer,
    Hold,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.core_banking.fineract import Fineract, evidence
from app.integrations.core_banking.fineract.stuck import Stuck
from app.integrations.outcome import (
    ContractBroken,
    Ok,
    Outcome,
    PortCode,
    Rejected,
    Unknown,
)
from tests.integrations.fineract_answers import (
    ACCOUNT,
    AT,
    HOLD,
    a_row,
    asked,
    batch,
)
from tests.integrations.fineract_world import RENT, an_op, inr

CARDS = {"/v1/batches": batch(ACCOUNT)}
BOTH = {"/v1/batches": batch(ACCOUNT, {**ACCOUNT, "id": 8})}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"state": "ACCEPTED", "transferCode": str(HOLD.id)}, Ok(HOLD)),
        (
            {"state": "REJECTED", "transferCode": str(HOLD.id)},
            Rejected(PortCode.NOT_SUPPORTED, detail="state REJECTED"),
        ),
        ({"state": "ACCEPTED", "transferCode": "another"}, Unknown),
        ({"state": "PERHAPS", "transferCode": str(HOLD.id)}, Unknown),
        ([], Unknown),
        ((403, "<html>proxy</html>"), Unknown),
        ((403, {"userMessageGlobalisationCode": "error.msg.not.authorized"}),
         Rejected(PortCode.PERMISSION, detail="status 403")),
        ((302, ""), Unknown),
    ],
)  # fmt: skip
async def test_a_hold_happened_only_by_its_own_name(
    answer: object, outcome: object
) -> None:
    op = an_op().__class__(HOLD.id, b"f" * 32)

    found: Outcome[Hold] = await asked(
        {"/v1/interoperation": answer, **CARDS},
        lambda core: core.hold(op, "7", inr(100), RENT),
    )

    assert isinstance(found, outcome) if isinstance(outcome, type) else found == outcome


async def test_a_transfer_without_a_number_is_unknown() -> None:
    found = await asked(
        {"/v1/accounttransfers": {"savingsId": 7}, **BOTH},
        lambda core: core.transfer(an_op(), "7", "8", inr(100), RENT),
    )

    assert isinstance(found, Unknown)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        [{"requestId": 2, "statusCode": 200, "body": "{}"}],
        [{"requestId": 1, "statusCode": 500, "body": "{}"}],
        [{"requestId": 1, "statusCode": 404, "body": "gone"}],
        [{"requestId": 1, "statusCode": 403, "body": "{}"}],
        [{"requestId": 1, "statusCode": 200, "body": "{"}],
        batch([]),
        batch({**ACCOUNT, "clientId": None}),
        batch({**ACCOUNT, "summary": {"accountBalance": "10"}}),
        batch({**ACCOUNT, "currency": {}}),
        (400, {}),
    ],
)
async def test_a_read_out_of_contract_is_an_outage(answer: object) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011  -- its kin is looked at
        await asked({"/v1/batches": answer}, lambda core: core.balances(["7"]))

    assert type(raised.value).__name__ in {"ContractBroken", "Outage", "AuthFailed"}


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_a_part_at_which_the_core_fails_is_no_silence_of_the_core(
    status: int,
) -> None:
    failed = {"requestId": 2, "statusCode": status, "body": "{}"}

    with pytest.raises(ContractBroken):
        await asked(
            {"/v1/batches": [*batch(ACCOUNT), failed]},
            lambda core: core.balances(["7", "8"]),
        )


async def test_a_404_of_a_proxy_is_not_a_customer_without_accounts() -> None:
    nobody = CoreCustomer(CustomerId.new(), "1")

    with pytest.raises(ContractBroken):
        await asked({"/v1/clients": (404, "gone")}, lambda core: core.accounts(nobody))


async def test_health_is_what_it_says_and_never_raised() -> None:
    async def health(core: Fineract) -> tuple[bool, bool]:
        found = await core.health()
        return found.reachable, found.posts

    assert await asked({"/health": (200, "OK")}, health) == (True, True)
    assert await asked({"/health": (200, "")}, health) == (True, True)
    assert await asked({"/health": (503, "")}, health) == (False, True)
    assert await asked({"/health": (401, "")}, health) == (False, True)
    assert await asked({"/health": (404, "{}")}, health) == (False, True)


# A core whose rows have no notes, which does not answer by names, as some versions.
BARE = a_row(paymentDetailData={"receiptNumber": str(HOLD.id)})
FREED = a_row(transactionType={"id": 20}, amount=Decimal(1), releaseTransactionId=13)


@pytest.mark.parametrize(
    ("kind", "rows", "found"),
    [
        (OpKind.CAPTURE, [BARE], Posting),
        (OpKind.RELEASE, [FREED], type(None)),
        (OpKind.RELEASE, [FREED, BARE], None),
        (OpKind.RELEASE, [], None),
        (OpKind.HOLD, [BARE], None),
    ],
)
async def test_bare_rows_still_tell_what_ended_a_hold(
    kind: OpKind, rows: list[object], found: type | None
) -> None:
    context = OpContext("7", None, inr(100), AT, HOLD.id)
    page = {"total": len(rows), "content": rows}

    outcome = await asked(
        {
            "/transactions/search": page,
            "/v1/batches": batch(*({} for _ in rows)),
            "/v1/interoperation": (200, ""),
            "/v1/audits": [],
        },
        lambda core: core.lookup(an_op(), kind, context),
    )

    if found is None:
        assert outcome == Rejected(PortCode.NEVER_SEEN)
    else:
        assert isinstance(outcome, Ok)
        assert isinstance(outcome.value, found)


@pytest.mark.parametrize(
    ("result", "kind", "outcome"),
    [
        ("processed", OpKind.HOLD, Ok),
        ("processed", OpKind.RELEASE, Ok),
        ("processed", OpKind.CAPTURE, Unknown),
        ("commandProcessingResultType.processed", OpKind.RELEASE, Ok),
        ({"id": 1, "value": "Processed"}, OpKind.RELEASE, Ok),
        ("commandProcessingResultType.rejected", OpKind.RELEASE, Rejected),
        ("error", OpKind.RELEASE, Rejected),
        ("underProcessing", OpKind.RELEASE, Unknown),
    ],
)
async def test_the_audit_is_the_last_to_be_asked(
    result: object, kind: OpKind, outcome: type
) -> None:
    op = an_op()
    command = json.dumps({"note": f"6p:{op.id} Rent"})
    entry = {"id": 4, "processingResult": result, "commandAsJson": command}

    found = await asked(
        {
            "/transactions/search": {"total": 0, "content": []},
            "/v1/interoperation": (404, {"errors": [], **NOT_FOUND}),
            "/v1/audits": {"pageItems": [entry]},
        },
        lambda core: core.lookup(op, kind, OpContext("7", None, inr(100), AT)),
    )

    assert isinstance(found, outcome), found


NOT_FOUND = {"userMessageGlobalisationCode": "error.msg.resource.not.found"}


# ------------------------------------------------------------------ keys under way


def test_a_key_under_way_is_dead_after_two_empty_looks_and_fifteen_minutes() -> None:
    clock = StoppedClock(AT)
    stuck, op = Stuck(clock), an_op().id

    assert stuck.is_early(op) is None
    assert not stuck.is_dead(op)
    clock.move(minutes=5)
    assert stuck.is_early(op) == AT
    assert not stuck.is_dead(op)
    clock.move(minutes=10)
    assert stuck.is_dead(op)
    stuck.ended(op)
    assert stuck.is_early(op) is None
    assert not stuck.is_dead(an_op().id)


def test_evidence_of_another_kind_proves_nothing() -> None:
    assert isinstance(evidence.only(Posting, Ok(None)), Unknown)
    assert evidence.only(type(None), Ok(None)) == Ok(None)
