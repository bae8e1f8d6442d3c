"""`python -m bench [WHAT] [--smoke]`: measure on loopback, bounded; keep the table."""

import argparse
import asyncio
import sys

from bench import home, report

TITLES = {"home": "home screen on SQLite, every guard on; the peer does no sign-in"}


def main() -> int:
    """Run one bench; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=sorted(TITLES), default="home")
    parser.add_argument(
        "--smoke", action="store_true", help="short, so that the bench cannot rot"
    )
    asked = parser.parse_args()
    turns = asyncio.run(home.run(home.SMOKE if asked.smoke else home.FULL))
    title = TITLES[asked.what]
    print(report.table(title, turns))
    if not asked.smoke:
        report.keep(asked.what, turns, title)
    return 0


if __name__ == "__main__":
    sys.exit(main())
