"""`python -m bench [WHAT] [--engine=E] [--smoke]`: measure on loopback; keep it."""

import argparse
import asyncio
import sys

from bench import auth, home, report
from bench.report import Rows

ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
TITLES = {
    "auth": auth.TITLE,
    "home": "home screen on {engine}, every guard on; the peer does no sign-in",
}
SHORT = {"auth"}  # its smoke runs on one engine: the other has no path of its own


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
            rows = asyncio.run(_measured(what, engine, smoke=asked.smoke))
            title = TITLES[what].format(engine=ENGINES[engine])
            print(report.table(title, rows), end="\n\n")
            if not asked.smoke:
                report.keep(f"{what}-{engine}", rows, title)
    return 0


async def _measured(what: str, engine: str, *, smoke: bool) -> Rows:
    if what == "auth":
        found = await auth.run(auth.SMOKE if smoke else auth.FULL, engine)
        return [row.written() for row in found]
    turns = await home.run(home.SMOKE if smoke else home.FULL, engine)
    return report.compared(turns)


if __name__ == "__main__":
    sys.exit(main())
