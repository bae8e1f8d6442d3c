"""Tables of the notifications room, and where each phone stands in its stream."""

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
    "device_stream": """
        device_id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        live_until {instant},
        acked_epoch VARCHAR(8),
        acked_seq BIGINT,
        acked_at {instant},
        CONSTRAINT device_stream_acked CHECK
            ((acked_epoch IS NULL) = (acked_seq IS NULL)
             AND (acked_seq IS NULL) = (acked_at IS NULL))
    """,
    "inbox_item": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        seq BIGINT NOT NULL,
        category VARCHAR(16) NOT NULL,
        template VARCHAR(40) NOT NULL,
        args TEXT NOT NULL,
        deep_link VARCHAR(120),
        created_at {instant} NOT NULL,
        read_at {instant},
        CONSTRAINT inbox_item_seq CHECK (seq > 0)
    """,
    "push_address": """
        id {uuid} NOT NULL PRIMARY KEY,
        device_id {uuid} NOT NULL,
        customer_id {uuid} NOT NULL,
        kind VARCHAR(10) NOT NULL,
        value {bytes},
        value_hash {bytes} NOT NULL,
        environment VARCHAR(12) NOT NULL,
        app_id VARCHAR(255) NOT NULL,
        state VARCHAR(8) NOT NULL,
        set_at {instant} NOT NULL,
        last_ok_at {instant},
        suspects INT NOT NULL DEFAULT 0,
        suspect_since {instant},
        dead_reason VARCHAR(20),
        CONSTRAINT push_address_kind CHECK
            (kind IN ('FCM_FID', 'FCM_TOKEN', 'APNS', 'EXPO', 'WEBPUSH')),
        CONSTRAINT push_address_environment CHECK
            (environment IN ('PRODUCTION', 'DEVELOPMENT')),
        CONSTRAINT push_address_state CHECK
            (state IN ('ACTIVE', 'MUTED', 'SUSPECT', 'DEAD')),
        CONSTRAINT push_address_dead CHECK
            ((state = 'DEAD') = (value IS NULL)
             AND (state = 'DEAD') = (dead_reason IS NOT NULL)),
        CONSTRAINT push_address_suspects CHECK
            (suspects >= 0 AND (suspects = 0) = (suspect_since IS NULL))
    """,
    "push_dispatch": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        device_id {uuid} NOT NULL,
        address_id {uuid} NOT NULL REFERENCES push_address (id),
        notification_id {uuid} NOT NULL REFERENCES inbox_item (id),
        seq BIGINT NOT NULL,
        category VARCHAR(16) NOT NULL,
        thread VARCHAR(64) NOT NULL,
        priority VARCHAR(6) NOT NULL,
        due_at {instant} NOT NULL,
        expires_at {instant} NOT NULL,
        attempts INT NOT NULL DEFAULT 0,
        lease_until {instant},
        state VARCHAR(10) NOT NULL,
        reason VARCHAR(20),
        provider_ref VARCHAR(200),
        sent_at {instant},
        delivered_at {instant},
        opened_at {instant},
        CONSTRAINT push_dispatch_priority CHECK (priority IN ('HIGH', 'NORMAL')),
        CONSTRAINT push_dispatch_state CHECK (state IN
            ('QUEUED', 'SENT', 'DELIVERED', 'OPENED', 'FAILED', 'SUPPRESSED')),
        CONSTRAINT push_dispatch_reason CHECK
            (state NOT IN ('FAILED', 'SUPPRESSED') OR reason IS NOT NULL),
        CONSTRAINT push_dispatch_stamps CHECK
            ((state <> 'SENT' OR sent_at IS NOT NULL)
             AND (state <> 'DELIVERED' OR delivered_at IS NOT NULL)
             AND (state <> 'OPENED' OR opened_at IS NOT NULL)),
        CONSTRAINT push_dispatch_lease CHECK
            (state = 'QUEUED' OR lease_until IS NULL)
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
    dependencies = [("bank", "0006_passkeys")]
    operations = [RunPython(make, drop)]
