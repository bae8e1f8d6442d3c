"""Print the names of the designed contract that are not built yet.

`python -m tests.house.not_yet` writes the list anew; the test says when it is stale and
refuses a longer one.
"""

import sys

from tests.house.contract import ROOT, wanted

FILE = ROOT / "tests/house/not_yet.txt"


def listed() -> list[str]:
    """Read the committed list."""
    return FILE.read_text().split()


def main() -> int:
    """Write the list and say how long it is."""
    names = wanted()
    FILE.write_text("".join(f"{name}\n" for name in names))
    sys.stdout.write(
        f"{FILE.relative_to(ROOT)}: {len(names)} names; CEILING "
        "in test_not_yet.py may not be above that\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
