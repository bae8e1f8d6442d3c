"""Transfers between two accounts of the bank."""

from sandbox.fineract import row_shapes
from sandbox.fineract.book import Transfer, next_id
from sandbox.fineract.fields import TEXT_MAX, Fields
from sandbox.fineract.keys import Order
from sandbox.fineract.kinds import DEPOSIT, WITHDRAWAL
from sandbox.fineract.movements import may_credit, may_debit
from sandbox.fineract.paging import page, sorted_by
from sandbox.fineract.refusals import not_found, rule
from sandbox.fineract.server import OFFICE, Core
from sandbox.fineract.wire import Ask

SAVINGS = "2"  # the server's number of this kind of account
_TAKES = frozenset(
    {
        *(
            f"{side}{what}"
            for side in ("from", "to")
            for what in ("OfficeId", "ClientId", "AccountId", "AccountType")
        ),
        "transferDate",
        "transferAmount",
        "transferDescription",
        "locale",
        "dateFormat",
    }
)


def create(core: Core, ask: Ask) -> Order:
    """`POST /v1/accounttransfers`: move money at once; all or nothing."""

    def work(_number: int) -> dict[str, object]:
        fields = Fields.read(ask.body, "accounttransfer")
        fields.only(_TAKES)
        ids = {
            name: fields.filled(name) for name in sorted(_TAKES) if name.endswith("Id")
        }
        for side in ("from", "to"):
            fields.one_of(f"{side}AccountType", {SAVINGS})
        day, amount = fields.day("transferDate"), fields.amount("transferAmount")
        says = fields.filled("transferDescription", TEXT_MAX)
        fields.check()
        for side in ("from", "to"):
            _known(core, ids[f"{side}OfficeId"], ids[f"{side}ClientId"])
        source = core.account(ids["fromAccountId"])
        may_debit(core, source, amount, day)
        target = core.account(ids["toAccountId"])
        may_credit(core, target, day)
        if source.currency != target.currency:
            raise currencies_differ(source.currency, target.currency)
        taken = core.enter(source, WITHDRAWAL, amount, day)
        given = core.enter(target, DEPOSIT, amount, day)
        made = Transfer(
            id=next_id(core.book.transfers),
            source=source.id,
            target=target.id,
            amount=amount,
            day=day,
            says=says,
            out_row=taken.id,
            in_row=given.id,
        )
        taken.transfer = given.transfer = made.id
        for entry in (made, taken, given):
            core.book.put(entry)
        return {"savingsId": source.id, "resourceId": made.id}

    return Order("CREATE", "ACCOUNTTRANSFER", work)


def every(core: Core, ask: Ask) -> object:
    """`GET /v1/accounttransfers`: all of them, a part if a limit is given."""
    found = list(core.book.transfers.values())
    detail = ask.query.get("accountDetailId")
    if detail is not None:
        found = [one for one in found if str(one.id) == detail]
    columns = {
        "id": lambda one: one.id,
        "transferDate": lambda one: one.day,
        "transferAmount": lambda one: one.amount,
    }
    found = sorted_by(found, ask.query, columns)
    shown = [row_shapes.transfer(core.book, one) for one in page(found, ask.query)]
    return {"totalFilteredRecords": len(found), "pageItems": shown}


def one(core: Core, ask: Ask) -> object:
    """`GET /v1/accounttransfers/{transferId}`: one transfer."""
    text = ask.ids["transferId"]
    found = core.book.transfers.get(int(text) if text.isdecimal() else -1)
    if found is None:
        raise not_found(
            "error.msg.accounttransfer.id.invalid",
            f"Account transfer with identifier {text} does not exist",
            text,
        )
    return row_shapes.transfer(core.book, found)


def currencies_differ(source: str, target: str) -> Exception:
    """Give 403: two currencies."""
    return rule(
        "error.msg.accounttransfer.different.currencies",
        f"Trying to transfer from {source} to {target}",
    )


def _known(core: Core, office: str, client: str) -> None:
    if office != str(OFFICE):
        raise not_found(
            "error.msg.office.id.invalid",
            f"Office with identifier {office} does not exist",
            office,
        )
    core.client(client)
