"""What a remote core said of accounts, and our words for its rows (banking.md 3)."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {"uuid": "CHAR(36)", "instant": "TIMESTAMP", "bool": "INT", "bytes": "BLOB"},
    "postgres": {"uuid": "UUID", "instant": "TIMESTAMPTZ", "bool": "BOOLEAN", "bytes": "BYTEA"},
}

TABLES = {
    "mirror_balance": """
        account_id {uuid} NOT NULL PRIMARY KEY,
        booked BIGINT NOT NULL,
        held BIGINT NOT NULL,
        available BIGINT NOT NULL,
        version BIGINT NOT NULL,
        CONSTRAINT mirror_balance_version CHECK (version >= 1)
    """,
    # Until when it was looked at; when a poll last got nothing of it; where its history
    # goes on (place: null is complete);
    # whether all below the newest known rows is known; when somebody asked last; what
    # the last look said, hashed, so that one that says the same writes nothing else.
    "mirror_cursor": """
        account_id {uuid} NOT NULL PRIMARY KEY,
        polled_at {instant} NOT NULL,
        begun_at {instant} NOT NULL,
        dirty_at {instant},
        tried_at {instant},
        used_on DATE,
        place TEXT,
        whole {bool} NOT NULL,
        digest {bytes} NOT NULL
    """,
    "mirror_transaction": """
        account_id {uuid} NOT NULL,
        core_id {uuid} NOT NULL,
        id {uuid} NOT NULL,
        status VARCHAR(12) NOT NULL,
        kind VARCHAR(16) NOT NULL,
        direction VARCHAR(3) NOT NULL,
        amount BIGINT NOT NULL,
        running_balance BIGINT,
        counterparty_name VARCHAR(140),
        counterparty_masked VARCHAR(40),
        narration VARCHAR(200),
        rail VARCHAR(16) NOT NULL,
        reference VARCHAR(140),
        payment_ref VARCHAR(64),
        decline_code VARCHAR(40),
        original_minor BIGINT,
        original_currency CHAR(3),
        value_on DATE,
        search TEXT NOT NULL,
        core_at {instant} NOT NULL,
        created_at {instant} NOT NULL,
        booked_at {instant},
        CONSTRAINT mirror_transaction_status CHECK
            (status IN ('PENDING', 'BOOKED', 'REVERSED', 'DECLINED')),
        CONSTRAINT mirror_transaction_direction CHECK (direction IN ('IN', 'OUT')),
        CONSTRAINT mirror_transaction_amount CHECK (amount >= 0),
        PRIMARY KEY (account_id, core_id)
    """,
    # root: whose row id a write keeps, that of its hold or its own; held: the amount
    # while a hold may be open, for a core that does not name our op in its row.
    "mirror_words": """
        op_id {uuid} NOT NULL PRIMARY KEY,
        root {uuid} NOT NULL,
        src VARCHAR(64),
        dst VARCHAR(64),
        payment_ref VARCHAR(64),
        rail VARCHAR(16) NOT NULL,
        reference VARCHAR(140),
        narration VARCHAR(200),
        payer_name VARCHAR(140),
        payer_masked VARCHAR(40),
        payee_name VARCHAR(140),
        payee_masked VARCHAR(40),
        journal {uuid},
        held BIGINT,
        at {instant} NOT NULL
    """,
}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    types = TYPES[editor.client.capabilities.dialect]
    for name, columns in TABLES.items():
        sql = f"CREATE TABLE {name} ({columns.format(**types)})"
        await editor.client.execute_query(sql)


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    for name in reversed(TABLES):
        await editor.client.execute_query(f"DROP TABLE {name}")


class Migration(Base):
    dependencies = [("bank", "0018_risk")]
    operations = [RunPython(make, drop)]
