"""The promises of the design, drawn from results.json into README.md.

Every row that is named after a target stands there, met or missed; of the many tenfold
steps of `scale` the worst of each kind. A full bar to the mark is a promise kept.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Known = Mapping[str, Mapping[str, Any]]
ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
WIDTH, MARK = 16, 10  # cells of a bar, and where the target is
_TARGET = re.compile(r"^(.*?),? \((S\d+)\)(.*)$")
_VERDICT = re.compile(r"^([<>]=) ([\d.]+): (met|missed)$")


@dataclass(frozen=True, slots=True)
class Promise:
    """One row that has a target of the design."""

    target: str
    engine: str
    measure: str
    unit: str
    median: float
    sign: str
    promised: float
    verdict: str
    day: str

    @property
    def reached(self) -> float:
        """How much of the target is reached; 1 and more is a promise kept."""
        if self.sign == ">=":
            return self.median / self.promised
        return self.promised / max(self.median, 0.001)

    @property
    def line(self) -> str:
        """Draw it."""
        name = f"{self.measure}, {self.engine}"
        asked = f"{self.sign} {self.promised:g}"
        figure = f"{self.median:g} {self.unit}"
        head = f"{self.target:4}{bar(self.reached)} {self.verdict:7}"
        return f"{head}{figure:>16} {asked:>8}  {name} ({self.day})"


def bar(reached: float) -> str:
    """Draw how much of a target is reached: `####......|......`; cut off at 1.6."""
    full = min(WIDTH, int(reached * MARK + 1e-9))
    cells = "#" * full + "." * (WIDTH - full)
    return f"{cells[:MARK]}|{cells[MARK:]}"


def promises(known: Known) -> list[Promise]:
    """Read every promise, in the order of the targets."""
    found = list(_read(known))
    steps = [one for one in found if one.target == "S11"]
    kept = [one for one in found if one.target != "S11"] + _worst(steps)
    return sorted(kept, key=lambda one: (int(one.target[1:]), one.engine, one.measure))


def _read(known: Known) -> Iterator[Promise]:
    for part, result in known.items():
        for row in result["rows"]:
            named = _TARGET.match(row["measure"])
            said = _VERDICT.match(row["target"])
            if named and said:
                yield Promise(
                    target=named[2],
                    engine=ENGINES[part.rpartition("-")[2]],
                    measure=named[1] + named[3],
                    unit=row["unit"],
                    median=row["median"],
                    sign=said[1],
                    promised=float(said[2]),
                    verdict=said[3],
                    day=result["at"][:10],
                )


def _worst(steps: Sequence[Promise]) -> list[Promise]:
    """Keep the worst tenfold step of each kind and engine."""
    kinds: dict[tuple[str, str], Promise] = {}
    for one in steps:
        kind = one.engine, re.sub(r"[\d,]+", "", one.measure)
        if kind not in kinds or one.reached < kinds[kind].reached:
            kinds[kind] = one
    return list(kinds.values())


def drawn(known: Known) -> list[str]:
    """Draw the chart, with what it says in one sentence."""
    found = promises(known)
    met = sum(one.verdict == "met" for one in found)
    return [
        f"{met} of {len(found)} promises are kept. `|` is the promise: a bar that ends",
        "before it misses. Of tenfold steps (S11) the worst of each kind is shown.",
        "",
        "```",
        *(one.line for one in found),
        "```",
    ]


def renewed(page: str, name: str, lines: Sequence[str]) -> str:
    """Write lines anew between the two marks of a name in a page."""
    head, tail = f"<!-- {name}: made by make bench -->\n", f"<!-- {name}: end -->"
    before, found, rest = page.partition(head)
    _old, ended, after = rest.partition(tail)
    if not found or not ended:
        raise SystemExit(f"a page has lost its marks {head.strip()}")
    return before + head + "\n".join(["", *lines, "", ""]) + tail + after
