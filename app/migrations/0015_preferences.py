"""What each customer wants to be told, and what a phone may show unasked."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {
        "uuid": "CHAR(36)",
        "hides": "INT NOT NULL DEFAULT 1",
    },
    "postgres": {
        "uuid": "UUID",
        "hides": "BOOLEAN NOT NULL DEFAULT TRUE",
    },
}

TABLES = {
    # Channels: 1 a push, 2 the inbox; a push points into the inbox.
    "notification_preference": """
        customer_id {uuid} NOT NULL,
        category VARCHAR(16) NOT NULL,
        channels INT NOT NULL,
        threshold_minor BIGINT,
        currency VARCHAR(3),
        CONSTRAINT notification_preference_channels CHECK (channels IN (0, 2, 3)),
        CONSTRAINT notification_preference_mandatory CHECK
            (category NOT IN ('SECURITY', 'LOGIN_APPROVAL')),
        CONSTRAINT notification_preference_threshold CHECK
            ((threshold_minor IS NULL) = (currency IS NULL)
             AND COALESCE(threshold_minor, 1) > 0
             AND (threshold_minor IS NULL OR category IN ('MONEY_IN', 'MONEY_OUT'))),
        PRIMARY KEY (customer_id, category)
    """,
    # Minutes of the day in the customer's zone.
    "notification_settings": """
        customer_id {uuid} NOT NULL PRIMARY KEY,
        hide_amounts {hides},
        quiet_from INT,
        quiet_to INT,
        timezone VARCHAR(64),
        CONSTRAINT notification_settings_quiet CHECK
            ((quiet_from IS NULL) = (quiet_to IS NULL)
             AND COALESCE(quiet_from, 0) BETWEEN 0 AND 1439
             AND COALESCE(quiet_to, 1) BETWEEN 0 AND 1439
             AND COALESCE(quiet_from, 0) <> COALESCE(quiet_to, 1))
    """,
    "quick_balance_optin": """
        device_id {uuid} NOT NULL,
        account_id {uuid} NOT NULL REFERENCES account (id),
        customer_id {uuid} NOT NULL,
        PRIMARY KEY (device_id, account_id)
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
    dependencies = [("bank", "0014_service_report")]
    operations = [RunPython(make, drop)]
