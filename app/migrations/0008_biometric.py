"""When a biometric key was set, as its owner sees it."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {"sqlite": "TIMESTAMP", "postgres": "TIMESTAMPTZ"}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    instant = TYPES[editor.client.capabilities.dialect]
    sql = f"ALTER TABLE device ADD COLUMN bio_set_at {instant}"
    await editor.client.execute_query(sql)


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    await editor.client.execute_query("ALTER TABLE device DROP COLUMN bio_set_at")


class Migration(Base):
    dependencies = [("bank", "0007_notifications")]
    operations = [RunPython(make, drop)]
