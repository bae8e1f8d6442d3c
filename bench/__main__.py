"""`python -m bench [WHAT] [--engine=E] [--smoke]`: measure on loopback; keep it."""

import argparse
import asyncio
import sys

from bench import home, report

ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
TITLES = {"home": "home screen on {engine}, every guard on; the peer does no sign-in"}


def main() -> int:
    """Run one bench; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=sorted(TITLES), default="home")
    parser.add_argument(
        "--engine", choices=sorted(ENGINES), help="only this one; both if left out"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="short, so that the bench cannot rot"
    )
    asked = parser.parse_args()
    for engine in [asked.engine] if asked.engine else ENGINES:
        size = home.SMOKE if asked.smoke else home.FULL
        turns = asyncio.run(home.run(size, engine))
        title = TITLES[asked.what].format(engine=ENGINES[engine])
        print(report.table(title, turns))
        if not asked.smoke:
            report.keep(f"{asked.what}-{engine}", turns, title)
    return 0


if __name__ == "__main__":
    sys.exit(main())
