"""`python -m bench [WHAT] [--engine=E] [--smoke]`: measure on loopback; keep it."""

import argparse
import sys
from typing import Any

import uvloop

from bench import auth, fanout, home, push, reconnect, remote, report, transfers
from bench.report import Rows

ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
TITLES = {
    "auth": auth.TITLE,
    "fanout": fanout.TITLE,
    "home": "home screen on {engine}, every guard on; the peer does no sign-in",
    "push": push.TITLE,
    "reconnect": reconnect.TITLE,
    "remote": remote.TITLE,
    "transfers": transfers.TITLE,
}
PLAIN: dict[str, Any] = {
    "auth": auth,
    "push": push,
    "remote": remote,
    "transfers": transfers,
}
# Their smoke runs on one engine: the other has no path of its own.
SHORT = {"auth", "fanout", "push", "reconnect", "remote", "transfers"}


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
    for what in [asked.what] if asked.what else TITLES:
        usual = ["sqlite"] if asked.smoke and what in SHORT else ENGINES
        for engine in [asked.engine] if asked.engine else usual:
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
    if what == "fanout":
        size = fanout.SMOKE if smoke else fanout.FULL
        return [row.written() for row in await fanout.run(size, engine, smoke=smoke)]
    if what == "reconnect":
        full = reconnect.SMOKE if smoke else reconnect.FULL
        again = await reconnect.run(full, engine, smoke=smoke)
        return [row.written() for row in again]
    turns = await home.run(home.SMOKE if smoke else home.FULL, engine)
    return report.compared(turns)


if __name__ == "__main__":
    sys.exit(main())
