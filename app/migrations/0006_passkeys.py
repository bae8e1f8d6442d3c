"""Passkeys: the credentials, pending registrations, and what answers need of them."""

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
    "passkey": """
        id {uuid} NOT NULL PRIMARY KEY,
        credential_id {bytes} NOT NULL,
        customer_id {uuid} NOT NULL,
        device_id {uuid} NOT NULL,
        cose_key {bytes} NOT NULL,
        sign_count BIGINT NOT NULL,
        aaguid {uuid} NOT NULL,
        be {bool} NOT NULL,
        bs {bool} NOT NULL,
        transports VARCHAR(80) NOT NULL,
        label VARCHAR(64) NOT NULL,
        state VARCHAR(8) NOT NULL,
        failed INT NOT NULL DEFAULT 0,
        paused_until {instant},
        created_at {instant} NOT NULL,
        last_used_at {instant},
        CONSTRAINT passkey_state CHECK (state IN ('ACTIVE', 'LOCKED')),
        CONSTRAINT passkey_count CHECK (sign_count BETWEEN 0 AND 4294967295),
        CONSTRAINT passkey_failed CHECK (failed >= 0),
        CONSTRAINT passkey_backed_up CHECK (be = bs OR be),
        CONSTRAINT passkey_size CHECK (length(credential_id) BETWEEN 1 AND 1023)
    """,
    "passkey_registration": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        device_id {uuid} NOT NULL,
        session_id {uuid},
        challenge {bytes} NOT NULL,
        state VARCHAR(12) NOT NULL,
        answer_hash {bytes},
        passkey_id {uuid},
        created_at {instant} NOT NULL,
        expires_at {instant} NOT NULL,
        CONSTRAINT passkey_registration_state CHECK
            (state IN ('PENDING', 'CONSUMED', 'FAILED')),
        CONSTRAINT passkey_registration_made CHECK
            ((state = 'CONSUMED') = (passkey_id IS NOT NULL)),
        CONSTRAINT passkey_registration_answered CHECK
            ((state = 'PENDING') = (answer_hash IS NULL))
    """,
}

# `webauthn`: what a challenge offers to passkeys, as it was made. `answering_until`:
# one answer of a phone is judged at a time, in whichever process.
COLUMNS = (
    ("challenge", "webauthn", "TEXT"),
    ("device", "answering_until", "{instant}"),
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
    dependencies = [("bank", "0005_payments")]
    operations = [RunPython(make, drop)]
