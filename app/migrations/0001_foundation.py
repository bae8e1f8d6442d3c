"""Tables of the house itself: guards, proofs, audit, idempotency, event log."""

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
    "schema_guard": """
        id INT NOT NULL PRIMARY KEY,
        file_hash VARCHAR(64) NOT NULL,
        names TEXT NOT NULL,
        CONSTRAINT schema_guard_one CHECK (id = 1)
    """,
    "proof_watermark": """
        name VARCHAR(64) NOT NULL PRIMARY KEY,
        mark {instant} NOT NULL,
        at {instant} NOT NULL
    """,
    "audit_head": """
        chain VARCHAR(40) NOT NULL PRIMARY KEY,
        seq BIGINT NOT NULL,
        hash {bytes} NOT NULL,
        CONSTRAINT audit_head_seq CHECK (seq >= 0)
    """,
    "audit_entry": """
        chain VARCHAR(40) NOT NULL,
        seq BIGINT NOT NULL,
        id {uuid} NOT NULL,
        at {instant} NOT NULL,
        actor_kind VARCHAR(8) NOT NULL,
        actor_id VARCHAR(64),
        device_id VARCHAR(40),
        session_id VARCHAR(40),
        address VARCHAR(64),
        action VARCHAR(64) NOT NULL,
        object VARCHAR(80),
        outcome VARCHAR(8) NOT NULL,
        code VARCHAR(40),
        detail TEXT NOT NULL,
        request_id VARCHAR(40) NOT NULL,
        prev_hash {bytes} NOT NULL,
        hash {bytes} NOT NULL,
        PRIMARY KEY (chain, seq),
        CONSTRAINT audit_actor_kind CHECK
            (actor_kind IN ('CUSTOMER', 'STAFF', 'SYSTEM', 'PARTNER')),
        CONSTRAINT audit_outcome CHECK (outcome IN ('OK', 'DENIED', 'FAILED'))
    """,
    "idempotency": """
        customer_id {uuid} NOT NULL,
        operation VARCHAR(64) NOT NULL,
        key VARCHAR(64) NOT NULL,
        fingerprint {bytes} NOT NULL,
        object_id {uuid} NOT NULL,
        created_at {instant} NOT NULL,
        PRIMARY KEY (customer_id, operation, key)
    """,
    "stream_head": """
        customer_id {uuid} NOT NULL PRIMARY KEY,
        epoch VARCHAR(8) NOT NULL,
        seq BIGINT NOT NULL,
        day DATE NOT NULL,
        CONSTRAINT stream_head_seq CHECK (seq >= 0)
    """,
    "customer_event": """
        customer_id {uuid} NOT NULL,
        seq BIGINT NOT NULL,
        day DATE NOT NULL,
        type VARCHAR(40) NOT NULL,
        category VARCHAR(16),
        subject_id VARCHAR(64),
        occurred_at {instant} NOT NULL,
        payload TEXT NOT NULL,
        dedupe_key VARCHAR(128),
        PRIMARY KEY (customer_id, seq),
        CONSTRAINT event_size CHECK (length(payload) <= 8192)
    """,
    "event_floor": """
        id INT NOT NULL PRIMARY KEY,
        day DATE NOT NULL,
        CONSTRAINT event_floor_one CHECK (id = 1)
    """,
    "event_work": """
        id {uuid} NOT NULL PRIMARY KEY,
        consumer VARCHAR(32) NOT NULL,
        customer_id {uuid} NOT NULL,
        seq BIGINT NOT NULL,
        due_at {instant} NOT NULL,
        attempts INT NOT NULL DEFAULT 0,
        lease_until {instant},
        error VARCHAR(200)
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
    initial = True
    operations = [RunPython(make, drop)]
