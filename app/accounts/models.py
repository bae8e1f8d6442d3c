"""Table of the accounts room; its SQL stands in migrations/0003_accounts.py."""

from tortoise import fields
from tortoise.models import Model

CONSTRAINTS = (
    "account_kind",
    "account_state",
    "account_low_balance",
    "account_core_once",
    "account_number_once",
    "account_customer",
)


class Account(Model):
    """One account of a customer: a pointer to the core, and what it is called here."""

    id = fields.UUIDField(primary_key=True)
    customer_id = fields.UUIDField()
    core = fields.CharField(40)
    core_ref = fields.CharField(64)
    core_external_ref = fields.CharField(64, null=True)
    kind = fields.CharField(16)
    name = fields.CharField(80)
    nickname = fields.CharField(40, null=True)
    masked_number = fields.CharField(40)
    number_lookup = fields.BinaryField()
    key_id = fields.SmallIntField()
    number_sealed = fields.BinaryField()
    bank_code = fields.CharField(16)
    currency = fields.CharField(3)
    exponent = fields.SmallIntField()
    state = fields.CharField(16)
    position = fields.IntField()
    low_balance_minor = fields.BigIntField(null=True)

    class Meta:
        table = "account"
