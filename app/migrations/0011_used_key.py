"""Every key that ever was a phone's, so that none comes back as another's (3.1)."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {"uuid": "CHAR(36)", "instant": "TIMESTAMP"},
    "postgres": {"uuid": "UUID", "instant": "TIMESTAMPTZ"},
}

USED_KEY = """
    jkt VARCHAR(43) NOT NULL PRIMARY KEY,
    device_id {uuid} NOT NULL,
    at {instant} NOT NULL
"""


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    types = TYPES[editor.client.capabilities.dialect]
    execute = editor.client.execute_query
    await execute(f"CREATE TABLE used_key ({USED_KEY.format(**types)})")
    for column in ("jkt", "bio_jkt"):
        await execute(
            f"INSERT INTO used_key (jkt, device_id, at) SELECT {column}, id, bound_at "  # noqa: S608  -- two names of our own
            f"FROM device WHERE {column} IS NOT NULL"
        )


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    await editor.client.execute_query("DROP TABLE used_key")


class Migration(Base):
    dependencies = [("bank", "0010_devices")]
    operations = [RunPython(make, drop)]
