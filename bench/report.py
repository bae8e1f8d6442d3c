"""What a bench prints and keeps: a table, results.json, and the pages made from it."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import capacity, chart

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
Rows = list[dict[str, float | str]]
HEADS = {"least": "min", "most": "max"}


@dataclass(frozen=True, slots=True)
class Row:
    """One measure that stands alone: its median over the turns, and its spread.

    Args:
        measure: what was measured.
        unit: of the figures.
        median: over all turns.
        least: smallest turn.
        most: largest turn.
        target: what the median may not pass; None where nothing is promised.
        floor: what it may not stay below; None where nothing is promised.
    """

    measure: str
    unit: str
    median: float
    least: float
    most: float
    target: float | None = None
    floor: float | None = None

    @classmethod
    def of(
        cls,
        measure: str,
        unit: str,
        figures: Sequence[float],
        target: float | None = None,
        *,
        floor: float | None = None,
    ) -> "Row":
        """Sum up the figures of the turns."""
        return cls(
            measure,
            unit,
            round(statistics.median(figures), 2),
            round(min(figures), 2),
            round(max(figures), 2),
            target,
            floor,
        )

    @property
    def verdict(self) -> str:
        """Whether the target is met; empty without one."""
        if self.target is not None:
            met = "met" if self.median <= self.target else "missed"
            return f"<= {self.target:g}: {met}"
        if self.floor is not None:
            met = "met" if self.median >= self.floor else "missed"
            return f">= {self.floor:g}: {met}"
        return ""

    def written(self) -> dict[str, float | str]:
        """Give it as results.json keeps it."""
        figures = {"median": self.median, "least": self.least, "most": self.most}
        named = {"measure": self.measure, "unit": self.unit}
        return named | figures | {"target": self.verdict}


def table(title: str, rows: Rows) -> str:
    """Write the rows for people."""
    heads = [HEADS.get(name, name) for name in rows[0]]
    cells = [heads, *([str(cell) for cell in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]
    return "\n".join([title, *lines])


def keep(what: str, rows: Rows, title: str) -> None:
    """Write the results of one bench beside those of the others."""
    file = FOLDER / "results.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    known[what] = {
        "title": title,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.system()}",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "rows": rows,
    }
    file.write_text(json.dumps(known, indent=2) + "\n")
    renew()


def renew() -> None:
    """Write every made page anew from the results that are kept."""
    known = json.loads((FOLDER / "results.json").read_text())
    for path, text in pages(known).items():
        path.write_text(text)


def pages(known: dict[str, Any]) -> dict[Path, str]:
    """Give every page that is made from the results, or has a part that is."""
    readme, scale = ROOT / "README.md", ROOT / "docs/scale.md"
    scaled = scale.read_text()
    for name, lines in capacity.page(known).items():
        scaled = chart.renewed(scaled, name, lines)
    return {
        FOLDER / "RESULTS.md": _page(known),
        readme: chart.renewed(readme.read_text(), "promises", chart.drawn(known)),
        scale: scaled,
    }


def _page(known: dict[str, dict[str, object]]) -> str:
    parts = [
        "# Results",
        "",
        "Made by `make bench`. Only ratios of one run count; the machine is shared.",
    ]
    for what, result in sorted(known.items()):
        parts += ["", f"## {what}: {result['title']}", ""]
        load = f", load {result['load']} at the end" if "load" in result else ""
        parts.append(
            f"{result['at']}, {result['machine']}{load}, Python {result['python']}."
        )
        parts.append("")
        listed = result["rows"]
        assert isinstance(listed, list)
        parts += _lines(listed)
    return "\n".join(parts) + "\n"


def _lines(rows: Rows) -> list[str]:
    names = list(rows[0])
    head = " | ".join(HEADS.get(name, name) for name in names)
    lines = [f"| {head} |", "|---" * len(names) + "|"]
    for row in rows:
        cells = " | ".join(str(row[name]) for name in names)
        lines.append(f"| {cells} |")
    return lines
