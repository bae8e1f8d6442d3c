"""Signed heads of the audit chains, hour by hour (banking.md section 1.3)."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {"instant": "TIMESTAMP", "bytes": "BLOB"},
    "postgres": {"instant": "TIMESTAMPTZ", "bytes": "BYTEA"},
}

TABLES = {
    "audit_seal": """
        hour {instant} NOT NULL PRIMARY KEY,
        heads INT NOT NULL,
        digest {bytes} NOT NULL,
        kid VARCHAR(16) NOT NULL,
        signature {bytes} NOT NULL,
        CONSTRAINT audit_seal_heads CHECK (heads > 0)
    """,
    "audit_sealed_head": """
        chain VARCHAR(40) NOT NULL,
        seq BIGINT NOT NULL,
        hash {bytes} NOT NULL,
        hour {instant} NOT NULL,
        PRIMARY KEY (chain, seq)
    """,
}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    types = TYPES[editor.client.capabilities.dialect]
    for name, columns in TABLES.items():
        await editor.client.execute_query(
            f"CREATE TABLE {name} ({columns.format(**types)})"
        )


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    for name in reversed(TABLES):
        await editor.client.execute_query(f"DROP TABLE {name}")


class Migration(Base):
    dependencies = [("bank", "0011_used_key")]
    operations = [RunPython(make, drop)]
