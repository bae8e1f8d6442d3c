"""Why a payment was let through, asked about, held or stopped (banking.md section 6.6).

Each row holds all it takes to decide again: the measured facts, every rule that was
looked at, and the name of the rules as they were.
"""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {"uuid": "CHAR(36)", "instant": "TIMESTAMP"},
    "postgres": {"uuid": "UUID", "instant": "TIMESTAMPTZ"},
}

TABLES = {
    "risk_decision": """
        id {uuid} NOT NULL PRIMARY KEY,
        payment_id {uuid} NOT NULL REFERENCES payment (id),
        action VARCHAR(8) NOT NULL,
        score INT NOT NULL,
        reasons TEXT NOT NULL,
        features TEXT,
        ruleset VARCHAR(40) NOT NULL,
        took_ms INT NOT NULL,
        at {instant} NOT NULL,
        CONSTRAINT risk_decision_action CHECK
            (action IN ('ALLOW', 'STEP_UP', 'HOLD', 'BLOCK')),
        CONSTRAINT risk_decision_score CHECK (score >= 0),
        CONSTRAINT risk_decision_unmeasured CHECK
            (features IS NOT NULL OR action <> 'ALLOW')
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
    dependencies = [("bank", "0017_callbacks")]
    operations = [RunPython(make, drop)]
