"""The bank's tables as Tortoise's tutorial writes models, for the home screen."""

from tortoise import fields
from tortoise.models import Model


class AccountRow(Model):
    """An account."""

    id = fields.UUIDField(primary_key=True)
    customer_id = fields.UUIDField()
    name = fields.CharField(80)
    masked_number = fields.CharField(40)
    currency = fields.CharField(3)
    position = fields.IntField()
    lines: fields.ReverseRelation["LineRow"]

    class Meta:
        """A table of the bank."""

        table = "account"
        ordering = ("position", "id")


class BalanceRow(Model):
    """Its figures."""

    account_id = fields.UUIDField(primary_key=True)
    committed = fields.BigIntField()
    pending_out = fields.BigIntField()
    version = fields.BigIntField()

    class Meta:
        """A table of the bank."""

        table = "ledger_balance"


class LineRow(Model):
    """A row of an account."""

    id = fields.UUIDField(primary_key=True)
    account: fields.ForeignKeyRelation[AccountRow] = fields.ForeignKeyField(
        "bank.AccountRow", related_name="lines"
    )
    amount = fields.BigIntField()
    direction = fields.CharField(3)
    narration = fields.CharField(200)
    counterparty_name = fields.CharField(140, null=True)
    created_at = fields.DatetimeField()
    booked_at = fields.DatetimeField(null=True)

    class Meta:
        """A table of the bank."""

        table = "ledger_line"
        ordering = ("-created_at", "-id")
