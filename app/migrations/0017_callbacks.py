"""What partners tell us unasked, once each; what a payee's bank told (banking.md 4.1)."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {"uuid": "CHAR(36)", "instant": "TIMESTAMP", "bytes": "BLOB"},
    "postgres": {"uuid": "UUID", "instant": "TIMESTAMPTZ", "bytes": "BYTEA"},
}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    types = TYPES[editor.client.capabilities.dialect]
    columns = """
        id {uuid} NOT NULL PRIMARY KEY,
        provider VARCHAR(16) NOT NULL,
        event_id VARCHAR(120) NOT NULL,
        body_enc {bytes} NOT NULL,
        received_at {instant} NOT NULL,
        due_at {instant} NOT NULL,
        tries INT NOT NULL DEFAULT 0,
        handled_at {instant},
        CONSTRAINT inbound_event_tries CHECK (tries >= 0)
    """.format(**types)
    await editor.client.execute_query(f"CREATE TABLE inbound_event ({columns})")
    for column in ("bank_name VARCHAR(80)", "check_name VARCHAR(140)"):
        await editor.client.execute_query(
            f"ALTER TABLE beneficiary ADD COLUMN {column}"
        )


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    for column in ("bank_name", "check_name"):
        await editor.client.execute_query(
            f"ALTER TABLE beneficiary DROP COLUMN {column}"
        )
    await editor.client.execute_query("DROP TABLE inbound_event")


class Migration(Base):
    dependencies = [("bank", "0016_saga")]
    operations = [RunPython(make, drop)]
