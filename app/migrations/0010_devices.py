"""Locks below a phone's newest one, and wrong answers counted over all phones."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {"uuid": "CHAR(36)", "instant": "TIMESTAMP"},
    "postgres": {"uuid": "UUID", "instant": "TIMESTAMPTZ"},
}

FAILURE_DAY = """
    customer_id {uuid} NOT NULL,
    device_id {uuid} NOT NULL,
    hour {instant} NOT NULL,
    count INT NOT NULL,
    PRIMARY KEY (customer_id, device_id, hour),
    CONSTRAINT failure_day_count CHECK (count > 0)
"""


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    types = TYPES[editor.client.capabilities.dialect]
    sql = f"CREATE TABLE failure_day ({FAILURE_DAY.format(**types)})"
    await editor.client.execute_query(sql)
    await editor.client.execute_query("ALTER TABLE device ADD COLUMN locks_under TEXT")


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    await editor.client.execute_query("ALTER TABLE device DROP COLUMN locks_under")
    await editor.client.execute_query("DROP TABLE failure_day")


class Migration(Base):
    dependencies = [("bank", "0009_totp")]
    operations = [RunPython(make, drop)]
