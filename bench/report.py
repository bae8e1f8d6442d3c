"""What a bench prints and keeps: a table, results.json, RESULTS.md."""

import json
import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path

from bench.load import Turn

FOLDER = Path(__file__).parent
Turns = dict[str, list[Turn]]


def rows(turns: Turns) -> list[dict[str, float | str]]:
    """Make one row per variant: medians, spread, ratio of the first to each."""
    names = list(turns)
    first = turns[names[0]]
    found: list[dict[str, float | str]] = []
    for name in names:
        speeds = [turn.per_second for turn in turns[name]]
        pairs = [
            ours.per_second / other.per_second
            for ours, other in zip(first, turns[name], strict=True)
        ]
        found.append(
            {
                "variant": name,
                "per_second": round(statistics.median(speeds), 1),
                "slowest": round(min(speeds), 1),
                "fastest": round(max(speeds), 1),
                "cpu_us": round(statistics.median(t.cpu_us for t in turns[name]), 1),
                "ratio": round(statistics.median(pairs), 3),
            }
        )
    return found


def table(title: str, turns: Turns) -> str:
    """Write the rows for people; `ratio` is the first variant over this one."""
    head = f"{'variant':24}{'req/s':>9}{'min':>9}{'max':>9}{'CPU µs':>9}{'ratio':>8}"
    lines = [title, head]
    lines += [
        f"{row['variant']:24}{row['per_second']:>9}{row['slowest']:>9}"
        f"{row['fastest']:>9}{row['cpu_us']:>9}{row['ratio']:>8}"
        for row in rows(turns)
    ]
    return "\n".join(lines)


def keep(what: str, turns: Turns, title: str) -> None:
    """Write the results of one bench beside those of the others."""
    file = FOLDER / "results.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    known[what] = {
        "title": title,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "rows": rows(turns),
    }
    file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    (FOLDER / "RESULTS.md").write_text(_page(known))


def _page(known: dict[str, dict[str, object]]) -> str:
    parts = [
        "# Results",
        "",
        "Made by `make bench`. Only ratios of one run count; the machine is shared.",
    ]
    for what, result in sorted(known.items()):
        parts += ["", f"## {what}: {result['title']}", ""]
        parts.append(
            f"{result['at']}, {result['machine']}, Python {result['python']}; "
            "`ratio` is Sixpence over the variant."
        )
        parts += ["", "| variant | requests/s | min | max | CPU µs | ratio |"]
        parts.append("|---|---|---|---|---|---|")
        listed = result["rows"]
        assert isinstance(listed, list)
        parts += [
            f"| {row['variant']} | {row['per_second']} | {row['slowest']} | "
            f"{row['fastest']} | {row['cpu_us']} | {row['ratio']} |"
            for row in listed
        ]
    return "\n".join(parts) + "\n"
