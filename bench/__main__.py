"""`python -m bench [WHAT] [--engine=E] [--smoke]`: measure on loopback; keep it."""

import argparse
import os
import sys
from typing import Any

import uvloop

from bench import (
    auth,
    fanout,
    home,
    push,
    reconnect,
    remote,
    report,
    scale,
    transfers,
)
from bench.report import Rows

ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
TITLES = {
    "auth": auth.TITLE,
    "fanout": fanout.TITLE,
    "home": home.TITLE,
    "push": push.TITLE,
    "reconnect": reconnect.TITLE,
    "remote": remote.TITLE,
    "scale": scale.TITLE,
    "transfers": transfers.TITLE,
}
PLAIN: dict[str, Any] = {
    "auth": auth,
    "push": push,
    "remote": remote,
    "scale": scale,
    "transfers": transfers,
}
# They have peers, and a smoke run goes without those on Node.
PEERED: dict[str, Any] = {"fanout": fanout, "home": home, "reconnect": reconnect}
# Their smoke runs on one engine: the other has no path of its own.
SHORT = {"auth", "fanout", "push", "reconnect", "remote", "scale", "transfers"}


def main() -> int:
    """Run one bench, or all; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=sorted(TITLES), help="only this one; all if left out"
    )
    parser.add_argument(
        "--engine", choices=sorted(ENGINES), help="only this one; both if left out"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="short, so that the bench cannot rot"
    )
    asked = parser.parse_args()
    cores = os.sched_getaffinity(0)
    for what in [asked.what] if asked.what else TITLES:
        usual = ["sqlite"] if asked.smoke and what in SHORT else ENGINES
        for engine in [asked.engine] if asked.engine else usual:
            os.sched_setaffinity(0, cores)  # a bench may have kept off one
            rows = uvloop.run(_measured(what, engine, smoke=asked.smoke))
            title = TITLES[what].format(engine=ENGINES[engine])
            print(report.table(title, rows), end="\n\n")
            if not asked.smoke:
                report.keep(f"{what}-{engine}", rows, title)
    return 0


async def _measured(what: str, engine: str, *, smoke: bool) -> Rows:
    if what in PLAIN:
        plain = PLAIN[what]
        found = await plain.run(plain.SMOKE if smoke else plain.FULL, engine)
        return [row.written() for row in found]
    peered = PEERED[what]
    size = peered.SMOKE if smoke else peered.FULL
    return [row.written() for row in await peered.run(size, engine, smoke=smoke)]


if __name__ == "__main__":
    sys.exit(main())
