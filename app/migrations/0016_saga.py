"""What two-phase payments keep of their way (banking.md section 4)."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {"sqlite": "TIMESTAMP", "postgres": "TIMESTAMPTZ"}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    instant = TYPES[editor.client.capabilities.dialect]
    execute = editor.client.execute_query
    # Since when staff has to find out what became of it: 48 h of asking did not.
    await execute(f"ALTER TABLE payment ADD COLUMN manual_since {instant}")
    # How often a partner without native idempotency said that it never saw the op.
    await execute(
        "ALTER TABLE payment_op ADD COLUMN unseen SMALLINT NOT NULL DEFAULT 0"
    )


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    execute = editor.client.execute_query
    await execute("ALTER TABLE payment_op DROP COLUMN unseen")
    await execute("ALTER TABLE payment DROP COLUMN manual_since")


class Migration(Base):
    dependencies = [("bank", "0015_preferences")]
    operations = [RunPython(make, drop)]
