"""Tables of the embedded ledger: accounts, balances, journals, holds, customer rows."""

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
    "ledger_account": """
        id {uuid} NOT NULL PRIMARY KEY,
        owner_id {uuid},
        kind VARCHAR(16) NOT NULL,
        code VARCHAR(40),
        name VARCHAR(80) NOT NULL,
        masked_number VARCHAR(40),
        currency CHAR(3) NOT NULL,
        exponent SMALLINT NOT NULL,
        parent_id {uuid} REFERENCES ledger_account (id),
        state VARCHAR(16) NOT NULL,
        opened_at {instant} NOT NULL,
        CONSTRAINT ledger_account_kind CHECK
            (kind IN ('CURRENT', 'SAVINGS', 'POT', 'HOUSE')),
        CONSTRAINT ledger_account_owner CHECK
            ((kind = 'HOUSE') = (owner_id IS NULL) AND (kind = 'HOUSE') = (code IS NOT NULL)),
        CONSTRAINT ledger_account_state CHECK
            (state IN ('OPEN', 'BLOCK_DEBIT', 'BLOCK_CREDIT', 'BLOCKED', 'CLOSED'))
    """,
    "ledger_balance": """
        account_id {uuid} NOT NULL PRIMARY KEY REFERENCES ledger_account (id),
        committed BIGINT NOT NULL,
        pending_out BIGINT NOT NULL,
        pending_in BIGINT NOT NULL,
        floor_minor BIGINT,
        state VARCHAR(16) NOT NULL,
        version BIGINT NOT NULL,
        changed_at {instant} NOT NULL,
        CONSTRAINT balance_pending_out_sign CHECK (pending_out <= 0),
        CONSTRAINT balance_pending_in_sign CHECK (pending_in >= 0),
        CONSTRAINT balance_floor CHECK
            (floor_minor IS NULL OR committed + pending_out >= floor_minor),
        CONSTRAINT balance_range CHECK
            (committed BETWEEN -4000000000000000000 AND 4000000000000000000),
        CONSTRAINT balance_state CHECK
            (state IN ('OPEN', 'BLOCK_DEBIT', 'BLOCK_CREDIT', 'BLOCKED', 'CLOSED'))
    """,
    "ledger_op": """
        op_id {uuid} NOT NULL PRIMARY KEY,
        fingerprint {bytes} NOT NULL,
        kind VARCHAR(16) NOT NULL,
        outcome VARCHAR(8) NOT NULL,
        code VARCHAR(40),
        journal_id {uuid},
        answer TEXT NOT NULL,
        at {instant} NOT NULL,
        CONSTRAINT ledger_op_outcome CHECK
            (outcome IN ('OK', 'REJECTED') AND (outcome = 'REJECTED') = (code IS NOT NULL))
    """,
    "ledger_journal": """
        id {uuid} NOT NULL PRIMARY KEY,
        op_id {uuid} NOT NULL,
        kind VARCHAR(16) NOT NULL,
        hold_id {uuid},
        reverses_id {uuid},
        memo VARCHAR(200) NOT NULL,
        value_on DATE NOT NULL,
        at {instant} NOT NULL,
        CONSTRAINT journal_kind CHECK
            (kind IN ('OPENING', 'DEPOSIT', 'TRANSFER', 'HOLD', 'CAPTURE', 'RELEASE',
                      'REVERSAL', 'FEE')),
        CONSTRAINT journal_hold CHECK
            ((kind IN ('HOLD', 'CAPTURE', 'RELEASE')) = (hold_id IS NOT NULL)),
        CONSTRAINT journal_reverses CHECK
            ((kind = 'REVERSAL') = (reverses_id IS NOT NULL))
    """,
    "ledger_posting": """
        journal_id {uuid} NOT NULL
            REFERENCES ledger_journal (id) DEFERRABLE INITIALLY DEFERRED,
        no SMALLINT NOT NULL,
        account_id {uuid} NOT NULL REFERENCES ledger_account (id),
        phase VARCHAR(12) NOT NULL,
        amount BIGINT NOT NULL,
        after_committed BIGINT NOT NULL,
        after_pending_out BIGINT NOT NULL,
        version BIGINT NOT NULL,
        PRIMARY KEY (journal_id, no),
        CONSTRAINT posting_amount CHECK (amount <> 0),
        CONSTRAINT posting_phase CHECK
            (phase IN ('COMMITTED', 'PENDING_OUT', 'PENDING_IN'))
    """,
    "ledger_hold": """
        id {uuid} NOT NULL PRIMARY KEY,
        account_id {uuid} NOT NULL REFERENCES ledger_account (id),
        contra_id {uuid} NOT NULL REFERENCES ledger_account (id),
        amount BIGINT NOT NULL,
        captured BIGINT NOT NULL DEFAULT 0,
        state VARCHAR(8) NOT NULL,
        reason VARCHAR(200) NOT NULL,
        expires_at {instant},
        CONSTRAINT hold_amount CHECK (amount > 0),
        CONSTRAINT hold_captured CHECK (captured BETWEEN 0 AND amount),
        CONSTRAINT hold_state CHECK
            (state IN ('OPEN', 'CAPTURED', 'RELEASED', 'EXPIRED')
             AND (state = 'CAPTURED') = (captured > 0))
    """,
    "ledger_line": """
        id {uuid} NOT NULL PRIMARY KEY,
        account_id {uuid} NOT NULL REFERENCES ledger_account (id),
        op_id {uuid} NOT NULL,
        journal_id {uuid} NOT NULL,
        direction VARCHAR(3) NOT NULL,
        amount BIGINT NOT NULL,
        kind VARCHAR(12) NOT NULL,
        status VARCHAR(8) NOT NULL,
        counterparty_name VARCHAR(140),
        counterparty_masked VARCHAR(40),
        rail VARCHAR(16) NOT NULL,
        payment_ref VARCHAR(64),
        reference VARCHAR(140),
        narration VARCHAR(200) NOT NULL,
        value_on DATE,
        search TEXT NOT NULL,
        running_balance BIGINT,
        created_at {instant} NOT NULL,
        booked_at {instant},
        CONSTRAINT line_amount CHECK (amount > 0),
        CONSTRAINT line_direction CHECK (direction IN ('IN', 'OUT')),
        CONSTRAINT line_kind CHECK
            (kind IN ('TRANSFER', 'FEE', 'INTEREST', 'TAX', 'CASH', 'REVERSAL',
                      'ADJUSTMENT', 'OTHER')),
        CONSTRAINT line_status CHECK
            (status IN ('PENDING', 'BOOKED', 'DECLINED', 'REVERSED')),
        CONSTRAINT line_booked CHECK
            ((status IN ('BOOKED', 'REVERSED')) =
             (booked_at IS NOT NULL AND running_balance IS NOT NULL AND value_on IS NOT NULL))
    """,
    "ledger_control": """
        id INT NOT NULL PRIMARY KEY,
        frozen_at {instant},
        reason VARCHAR(200),
        CONSTRAINT ledger_control_one CHECK (id = 1)
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
    dependencies = [("bank", "0001_foundation")]
    operations = [RunPython(make, drop)]
