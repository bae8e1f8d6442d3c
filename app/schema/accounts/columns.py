"""Where the fields of a page's rows are in rows that our own database gave together."""

from datetime import date

from app.accounts.transactions import Page
from app.ids import TransactionId
from app.integrations.kept import KeptTxns
from app.schema.plan.shapes import Column, Columns, Written


def kept_together(page: Page) -> KeptTxns | None:
    """Give the rows of a page as they came together, if they did."""
    told = page.told
    return told if isinstance(told, KeptTxns) else None


def _raw(name: str) -> Column:
    def values(told: KeptTxns) -> list[object]:
        return told.column(name)

    return values


def _ids(told: KeptTxns) -> list[object]:
    return [f"{TransactionId.prefix}_{digits}" for digits in told.hexes()]


def _instants(name: str) -> Written:
    def values(told: KeptTxns) -> list[str | None]:
        return told.instants(name)

    return Written(values)


def _days(told: KeptTxns) -> list[date | None]:
    return told.days("value_on")


def _currencies(told: KeptTxns) -> list[str]:
    return [told.currency] * len(told)


def _no(told: KeptTxns) -> list[None]:
    return [None] * len(told)


def _is_told(name: str) -> Column:
    def values(told: KeptTxns) -> list[bool]:
        return [one is not None for one in told.column(name)]

    return values


def _money(name: str) -> dict[str, Column | Written | Columns]:
    return {"minor_units": _raw(name), "currency": _currencies}


# What `ROW` reads of one row; `original` is null in our own book.
ROW_COLUMNS = Columns(
    {
        "id": _ids,
        "amount": Columns(_money("amount")),
        "original": Columns(_money("amount"), where=_no),
        "running_balance": Columns(
            _money("running_balance"), where=_is_told("running_balance")
        ),
        "created_at": _instants("created_at"),
        "booked_at": _instants("booked_at"),
        "value_date": _days,
        "counterparty": Columns(
            {
                "name": _raw("counterparty_name"),
                "masked_account": _raw("counterparty_masked"),
                "bank_name": _no,
            },
            where=_raw("counterparty_name"),
        ),
        **{
            name: _raw(name)
            for name in (
                "status",
                "kind",
                "direction",
                "narration",
                "rail",
                "reference",
            )
        },
    }
)
