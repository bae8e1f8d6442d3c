"""Limits: rules of the bank and choices of customers, what of them is used, by whom.

The amounts are the bank's policy, as data: it changes `max_minor` and `ceiling_minor`
of these rows, and never their ids, by which payments are counted.
"""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {"uuid": "CHAR(36)", "instant": "TIMESTAMP"},
    "postgres": {"uuid": "UUID", "instant": "TIMESTAMPTZ"},
}

TABLES = {
    "limit_rule": """
        id {uuid} NOT NULL PRIMARY KEY,
        scope VARCHAR(16) NOT NULL,
        rail VARCHAR(16),
        period VARCHAR(16) NOT NULL,
        currency VARCHAR(3) NOT NULL,
        customer_id {uuid},
        base_id {uuid} REFERENCES limit_rule (id),
        max_minor BIGINT NOT NULL,
        ceiling_minor BIGINT NOT NULL,
        effective_at {instant} NOT NULL,
        CONSTRAINT limit_rule_scope CHECK (scope IN
            ('BANK', 'CUSTOMER', 'DEVICE_COOLING', 'DEVICE_WEAK', 'PAYEE_COOLING')),
        CONSTRAINT limit_rule_period CHECK (period IN
            ('PER_TRANSACTION', 'DAY', 'WEEK', 'MONTH', 'ROLLING_DAY', 'TOTAL')),
        CONSTRAINT limit_rule_max CHECK
            (max_minor >= 0 AND max_minor <= ceiling_minor),
        CONSTRAINT limit_rule_choice CHECK
            ((scope = 'CUSTOMER') = (customer_id IS NOT NULL)
             AND (scope = 'CUSTOMER') = (base_id IS NOT NULL))
    """,
    "limit_use": """
        customer_id {uuid} NOT NULL,
        rule_id {uuid} NOT NULL REFERENCES limit_rule (id),
        subject_id {uuid} NOT NULL,
        window_start {instant} NOT NULL,
        reserved BIGINT NOT NULL,
        used BIGINT NOT NULL,
        changed_at {instant} NOT NULL,
        PRIMARY KEY (customer_id, rule_id, subject_id, window_start),
        CONSTRAINT limit_use_reserved CHECK (reserved >= 0),
        CONSTRAINT limit_use_used CHECK (used >= 0)
    """,
    "limit_reservation": """
        payment_id {uuid} NOT NULL REFERENCES payment (id),
        rule_id {uuid} NOT NULL REFERENCES limit_rule (id),
        customer_id {uuid} NOT NULL,
        subject_id {uuid} NOT NULL,
        window_start {instant} NOT NULL,
        amount BIGINT NOT NULL,
        PRIMARY KEY (payment_id, rule_id),
        CONSTRAINT limit_reservation_amount CHECK (amount > 0)
    """,
}

# Scope and period, with max and ceiling in minor units, by currency.
POLICY = (
    ("BANK", "PER_TRANSACTION"),
    ("BANK", "DAY"),
    ("DEVICE_COOLING", "ROLLING_DAY"),
    ("DEVICE_WEAK", "PER_TRANSACTION"),
    ("DEVICE_WEAK", "DAY"),
    ("PAYEE_COOLING", "TOTAL"),
)
AMOUNTS: dict[str, tuple[tuple[int, int], ...]] = {
    "INR": (
        (200_000_00, 1_000_000_00),
        (2_000_000_00, 5_000_000_00),
        (5_000_00, 5_000_00),
        (25_000_00, 25_000_00),
        (50_000_00, 50_000_00),
        (5_000_00, 5_000_00),
    ),
}
_EQUIVALENT = (
    (2_500_00, 10_000_00),
    (5_000_00, 25_000_00),
    (50_00, 50_00),
    (250_00, 250_00),
    (500_00, 500_00),
    (50_00, 50_00),
)
AMOUNTS |= dict.fromkeys(("EUR", "GBP", "SGD", "USD"), _EQUIVALENT)
_FROM = "2026-01-01 00:00:00.000000+00:00"


def rule_id(currency: str, place: int) -> str:
    """Name a rule of the bank, the same in every database."""
    number = list(AMOUNTS).index(currency) * 100 + place + 1
    return f"00000000-0000-7000-8000-{number:012d}"


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    types = TYPES[editor.client.capabilities.dialect]
    for name, columns in TABLES.items():
        await editor.client.execute_query(
            f"CREATE TABLE {name} ({columns.format(**types)})"
        )
    await editor.client.execute_query(
        "ALTER TABLE beneficiary ADD COLUMN limit_currency VARCHAR(3)"
    )
    for currency, amounts in AMOUNTS.items():
        for place, (named, figures) in enumerate(zip(POLICY, amounts, strict=True)):
            (scope, period), (most, ceiling) = named, figures
            await editor.client.execute_query(
                "INSERT INTO limit_rule (id, scope, period, currency, max_minor, "
                f"ceiling_minor, effective_at) VALUES ('{rule_id(currency, place)}', "
                f"'{scope}', '{period}', '{currency}', {most}, {ceiling}, '{_FROM}')"
            )


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    await editor.client.execute_query(
        "ALTER TABLE beneficiary DROP COLUMN limit_currency"
    )
    for name in reversed(TABLES):
        await editor.client.execute_query(f"DROP TABLE {name}")


class Migration(Base):
    dependencies = [("bank", "0012_audit_seals")]
    operations = [RunPython(make, drop)]
