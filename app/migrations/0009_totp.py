"""Authenticator apps, recovery codes, and where they are reserved and asked for."""

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
    "totp_secret": """
        customer_id {uuid} NOT NULL PRIMARY KEY,
        id {uuid} NOT NULL,
        device_id {uuid} NOT NULL,
        sealed {bytes} NOT NULL,
        state VARCHAR(8) NOT NULL,
        last_step BIGINT NOT NULL DEFAULT 0,
        failed INT NOT NULL DEFAULT 0,
        paused_until {instant},
        set_at {instant} NOT NULL,
        pending_until {instant},
        session_id {uuid},
        outcome_sealed {bytes},
        outcome_until {instant},
        CONSTRAINT totp_state CHECK (state IN ('PENDING', 'ACTIVE')),
        CONSTRAINT totp_failed CHECK (failed >= 0),
        CONSTRAINT totp_step CHECK (last_step >= 0),
        CONSTRAINT totp_pending CHECK
            ((state = 'PENDING') = (pending_until IS NOT NULL)),
        CONSTRAINT totp_outcome CHECK
            ((outcome_sealed IS NULL) = (outcome_until IS NULL))
    """,
    "recovery_code": """
        customer_id {uuid} NOT NULL,
        slot SMALLINT NOT NULL,
        id {uuid} NOT NULL,
        mac {bytes} NOT NULL,
        key_id SMALLINT NOT NULL,
        made_at {instant} NOT NULL,
        used_at {instant},
        PRIMARY KEY (customer_id, slot),
        CONSTRAINT recovery_slot CHECK (slot BETWEEN 0 AND 9)
    """,
}

# `proof_step`: the step of a reserved TOTP code. `person`, `person_hash`: what proved
# the person in a sign-in that then asks for TOTP, and which answer that was.
COLUMNS = (
    ("enrolment", "proof_step", "BIGINT"),
    ("challenge", "person", "VARCHAR(16)"),
    ("challenge", "person_hash", "{bytes}"),
)


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    types = TYPES[editor.client.capabilities.dialect]
    for name, columns in TABLES.items():
        sql = f"CREATE TABLE {name} ({columns.format(**types)})"
        await editor.client.execute_query(sql)
    for table, column, kind in COLUMNS:
        sql = f"ALTER TABLE {table} ADD COLUMN {column} {kind.format(**types)}"
        await editor.client.execute_query(sql)


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    for table, column, _kind in reversed(COLUMNS):
        await editor.client.execute_query(f"ALTER TABLE {table} DROP COLUMN {column}")
    for name in reversed(TABLES):
        await editor.client.execute_query(f"DROP TABLE {name}")


class Migration(Base):
    dependencies = [("bank", "0008_biometric")]
    operations = [RunPython(make, drop)]
