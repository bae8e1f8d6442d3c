"""What a fleet has seen, and how it is told in one line; pure."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

PERCENTILES = (50, 95, 99)


def percentiles(figures: Sequence[float]) -> tuple[float, float, float]:
    """The figures that half, a twentieth and a hundredth pass; zeros without any."""
    row = sorted(figures)
    if not row:
        return 0.0, 0.0, 0.0
    found = [row[min(len(row) - 1, len(row) * part // 100)] for part in PERCENTILES]
    return found[0], found[1], found[2]


@dataclass(slots=True)
class Tally:
    """Counts of the whole fleet.

    Attributes:
        phones: Phones that are signed in.
        sockets: Streams that stand now.
        events: Events that were applied.
        gaps: Times a number was missing.
        doubles: Events that had been applied before.
        missing: Phones that were told less than another of their customer.
        resets: Streams the bank began anew.
        payments: Payments that settled.
        refused: Codes of payments that did not.
        closings: Close codes the fleet did not cause, and HTTP statuses of refused
            handshakes.
        back_s: How long all needed to be back after a storm; None before one.
        faults: What the bank said where it should not, by code.
        lags: Seconds from fact to phone of every live event.
    """

    phones: int = 0
    sockets: int = 0
    events: int = 0
    gaps: int = 0
    doubles: int = 0
    missing: int = 0
    resets: int = 0
    payments: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    closings: Counter[int] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    back_s: float | None = None
    lags: "array[float]" = field(default_factory=lambda: array("d"))

    def line(self, per_second: float) -> str:
        """The living line."""
        return (
            f"{self.phones} phones  {self.sockets} sockets  {per_second:,.0f} events/s"
            f"  {self.gaps} gaps  {self.doubles} doubles  lag {self.lag()}"
        )

    def lag(self) -> str:
        """The lag in whole milliseconds: p50, p95, p99."""
        shown = [f"{figure * 1000:.0f}" for figure in percentiles(self.lags)]
        return f"{'/'.join(shown)} ms"

    def broken(self, p99_ms_max: float | None) -> list[str]:
        """Everything a fleet must not see; empty when all is well."""
        found = [
            f"{count} {name}"
            for name, count in (
                ("gaps", self.gaps),
                ("doubles", self.doubles),
                ("phones were told less than others", self.missing),
                ("streams had to begin anew", self.resets),
                ("phones have no stream", self.phones - self.sockets),
            )
            if count
        ]
        found += [f"{count} times {code}" for code, count in self.faults.items()]
        p99_ms = percentiles(self.lags)[2] * 1000
        if p99_ms_max is not None and p99_ms > p99_ms_max:
            found.append(f"lag p99 {p99_ms:.0f} ms is above {p99_ms_max:.0f} ms")
        return found

    def closed(self) -> str:
        """Close codes and refusals with their counts; empty when there were none."""
        told = [f"{code} x {count}" for code, count in sorted(self.closings.items())]
        told += [f"{code} x {count}" for code, count in sorted(self.refused.items())]
        return ", ".join(told)
