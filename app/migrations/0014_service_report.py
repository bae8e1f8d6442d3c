"""What processes say of components that are not well (realtime.md section 6)."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

INSTANT = {"sqlite": "TIMESTAMP", "postgres": "TIMESTAMPTZ"}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    instant = INSTANT[editor.client.capabilities.dialect]
    await editor.client.execute_query(
        f"""CREATE TABLE service_report (
            process VARCHAR(32) NOT NULL,
            component VARCHAR(20) NOT NULL,
            state VARCHAR(20) NOT NULL,
            since {instant} NOT NULL,
            share_ppm INT,
            p95_ms INT,
            until {instant} NOT NULL,
            CONSTRAINT service_report_share CHECK (share_ppm BETWEEN 0 AND 1000000),
            PRIMARY KEY (process, component)
        )"""
    )


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    await editor.client.execute_query("DROP TABLE service_report")


class Migration(Base):
    dependencies = [("bank", "0013_limits")]
    operations = [RunPython(make, drop)]
