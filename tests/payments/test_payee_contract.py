"""Payees over GraphQL."""

from tests.payments.town import Town
from tests.payments.wire import call


async def test_a_payee_is_saved_listed_and_deleted_over_the_wire(town: Town) -> None:
    account = await town.bank.an_account(town.bens.customer)
    asked = await town.bank.payee_request(account, name="Ben O.", nickname="Work")
    wish = {
        "idempotencyKey": asked.key,
        "nickname": asked.nickname,
        "name": asked.name,
        "payee": {"account": {"accountNumber": asked.account_number}},
    }
    save = (
        "mutation S($input: BeneficiaryCreateInput!) { beneficiaryCreate(input: $input)"
        " { beneficiary { id nickname name maskedAccount bankCode coolingUntil "
        "favourite lastPaidAt } replayed userErrors { code } } }"
    )
    listed = (
        "query L($search: String) { me { beneficiaries(first: 1, search: $search) "
        "{ nodes { id coolingUntil } pageInfo { hasNextPage endCursor } } } }"
    )
    delete = (
        "mutation D($input: BeneficiaryDeleteInput!) { beneficiaryDelete(input: "
        "$input) { deletedBeneficiaryId userErrors { code field } } }"
    )

    first = (await call(town, town.asha, save, input=wish))["beneficiaryCreate"]
    await town.bank.approve_payee(town.asha, asked)
    saved = (await call(town, town.asha, save, input=wish))["beneficiaryCreate"]
    page = (await call(town, town.asha, listed))["me"]["beneficiaries"]
    found = (await call(town, town.asha, listed, search="okafor"))["me"]
    gone = (
        await call(town, town.asha, delete, input={"id": saved["beneficiary"]["id"]})
    )["beneficiaryDelete"]
    malformed = (await call(town, town.asha, delete, input={"id": "ben"}))[
        "beneficiaryDelete"
    ]

    assert [no["code"] for no in first["userErrors"]] == ["STEP_UP_REQUIRED"]
    assert saved["userErrors"] == []
    beneficiary = saved["beneficiary"]
    assert beneficiary["coolingUntil"] == "2026-11-22T09:30:00.000Z"
    assert (beneficiary["nickname"], beneficiary["bankCode"]) == ("Work", "SIXP0000001")
    assert page["nodes"][0]["id"] == beneficiary["id"]
    assert page["pageInfo"]["hasNextPage"] is True
    assert [one["id"] for one in found["beneficiaries"]["nodes"]] == [
        str(town.payee.id)
    ]
    assert gone["deletedBeneficiaryId"] == beneficiary["id"]
    assert malformed["userErrors"] == [{"code": "NOT_FOUND", "field": None}]


async def test_a_waiting_time_that_is_over_shows_as_none(town: Town) -> None:
    document = "{ me { beneficiaries { nodes { coolingUntil } } } }"
    town.bank.clock.move(days=1)

    me = (await call(town, town.asha, document))["me"]

    assert me["beneficiaries"]["nodes"] == [{"coolingUntil": None}]
