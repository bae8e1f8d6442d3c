"""The accounts room: what a customer has, pointing at the core that keeps the money."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {
        "uuid": "CHAR(36)",
        "instant": "TIMESTAMP",
        "bytes": "BLOB",
        "bool": "INT",
    },
    "postgres": {
        "uuid": "UUID",
        "instant": "TIMESTAMPTZ",
        "bytes": "BYTEA",
        "bool": "BOOLEAN",
    },
}

TABLES = {
    "account": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        core VARCHAR(40) NOT NULL,
        core_ref VARCHAR(64) NOT NULL,
        core_external_ref VARCHAR(64),
        kind VARCHAR(16) NOT NULL,
        name VARCHAR(80) NOT NULL,
        nickname VARCHAR(40),
        masked_number VARCHAR(40) NOT NULL,
        number_lookup {bytes} NOT NULL,
        key_id SMALLINT NOT NULL,
        number_sealed {bytes} NOT NULL,
        bank_code VARCHAR(16) NOT NULL,
        currency CHAR(3) NOT NULL,
        exponent SMALLINT NOT NULL,
        state VARCHAR(16) NOT NULL,
        position INT NOT NULL,
        low_balance_minor BIGINT,
        CONSTRAINT account_kind CHECK
            (kind IN ('CURRENT', 'SAVINGS', 'POT', 'CREDIT', 'LOAN', 'DEPOSIT')),
        CONSTRAINT account_state CHECK
            (state IN ('OPEN', 'BLOCK_DEBIT', 'BLOCK_CREDIT', 'BLOCKED', 'DORMANT',
                       'CLOSED')),
        CONSTRAINT account_low_balance CHECK (low_balance_minor >= 0)
    """,
}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    for name, columns in TABLES.items():
        sql = f"CREATE TABLE {name} ({columns.format(**TYPES[editor.client.capabilities.dialect])})"
        await editor.client.execute_query(sql)


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    for name in reversed(TABLES):
        await editor.client.execute_query(f"DROP TABLE {name}")


class Migration(Base):
    dependencies = [("bank", "0002_ledger")]
    operations = [RunPython(make, drop)]
