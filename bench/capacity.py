"""How many processes a bank needs, reckoned from results.json into docs/scale.md.

What is measured is read from there; what is assumed stands here by name, once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.chart import ENGINES, Known

DAY_S = 86_400
SESSIONS_PER_DAY = 1.0  # a customer's; half of them come, twice
PEAK = 10  # the busiest minute of a salary day over the mean of a day
HOMES = 3  # screens of a session that cost what a home screen costs
SESSION_S = 180  # so long the socket is open
PAYMENTS_PER_DAY = 0.5  # a customer's
PUSHES = 2  # of a payment
POSTINGS = 2  # of a payment over a rail, which is held and then taken
LOAD = 0.5  # share of a core that is used at the peak; the rest is for the unexpected
SPARE = 1  # process of each kind that may be away
MOST = 10  # connections of a process to PostgreSQL, as the setting comes
SIZES = (100_000, 1_000_000, 10_000_000)

# What one process carries: label, part of the results, measure, unit.
CARRIED = (
    ("home screen, token and proof", "home-postgres", "a home screen: sixpence"),
    ("the same on SQLite", "home-sqlite", "a home screen: sixpence"),
    ("sign-in by mPIN", "auth-postgres", "sign-in with mPIN"),
    (
        "whole payment, created to SETTLED",
        "transfers-postgres",
        "whole payment: the bank's own time",
    ),
    (
        "socket opened and subscribed",
        "reconnect-sqlite",
        "connect, init, subscribe: sixpence (S6)",
    ),
    (
        "memory of a socket after events",
        "reconnect-sqlite",
        "the same after 5 events each: sixpence",
    ),
    ("frame of an event", "fanout-sqlite", "a frame: sixpence"),
    ("pushes sent by a worker", "push-postgres", "1000 due at once"),
    (
        "transfers of the book, spread",
        "transfers-postgres",
        "transfers of the book, spread over 64 accounts",
    ),
    ("the same, one hot account", "transfers-postgres", "the same, one hot account"),
)
HEADS = (
    "| customers | sessions | screens | payments | postings | sockets "
    "| busy cores | web processes | workers | connections at most |"
)
SCALES = {"µs CPU": 1e-6, "ms CPU": 1e-3}


def figure(known: Known, part: str, measure: str) -> tuple[float, str] | None:
    """Find a measure: its median and unit; None where it was not measured."""
    for row in known.get(part, {}).get("rows", ()):
        if row["measure"] == measure:
            return row["median"], row["unit"]
    return None


def carried(known: Known) -> list[str]:
    """Tabulate what one process carries."""
    lines = ["| work | cost | of one core | part, day |", "|---|---|---|---|"]
    for label, part, measure in CARRIED:
        found = figure(known, part, measure)
        if found is None:
            lines.append(f"| {label} | not measured | | `{part}` |")
            continue
        median, unit = found
        each = f"{1 / (median * SCALES[unit]):,.0f}/s" if unit in SCALES else ""
        day = known[part]["at"][:10]
        lines.append(f"| {label} | {median:,g} {unit} | {each} | `{part}`, {day} |")
    return lines


def grown(known: Known) -> list[str]:
    """Tabulate what ten times as much costs: each measured step."""
    lines = ["| step | engine | cost, times | promise |", "|---|---|---|---|"]
    for part in sorted(known):
        what, _, engine = part.rpartition("-")
        for row in known[part]["rows"]:
            step = what == "scale" and row["unit"] == "x"
            if step or row["measure"].startswith("cost of a transfer with"):
                name = row["measure"].removesuffix(" (S11)")
                spread = f"{row['median']} ({row['least']} to {row['most']})"
                cells = (name, ENGINES[engine], spread, row["target"])
                lines.append("| " + " | ".join(cells) + " |")
    if not any(part.startswith("scale-") for part in known):
        lines += ["", "`make bench WHAT=scale` has not been kept yet."]
    return lines


@dataclass(frozen=True, slots=True)
class Need:
    """What so many customers ask of a bank at the peak.

    Args:
        customers: of the bank.
        session_s: processor seconds of a session: sign-in, screens, socket.
        payment_s: the same of a whole payment.
        pushes: that a worker sends in a second.
    """

    customers: int
    session_s: float
    payment_s: float
    pushes: float

    @property
    def sessions(self) -> float:
        """Sessions that begin in a second."""
        return self.customers * SESSIONS_PER_DAY / DAY_S * PEAK

    @property
    def payments(self) -> float:
        """Payments in a second."""
        return self.customers * PAYMENTS_PER_DAY / DAY_S * PEAK

    @property
    def cores(self) -> float:
        """Cores of web processes that are busy."""
        return self.sessions * self.session_s + self.payments * self.payment_s

    @property
    def line(self) -> str:
        """Write it as a row."""
        web = math.ceil(self.cores / LOAD) + SPARE
        workers = math.ceil(self.payments * PUSHES / self.pushes / LOAD) + SPARE
        cells = (
            f"{self.customers:,}",
            f"{self.sessions:,.0f}/s",
            f"{self.sessions * HOMES:,.0f}/s",
            f"{self.payments:,.0f}/s",
            f"{self.payments * POSTINGS:,.0f}/s",
            f"{self.sessions * SESSION_S:,.0f}",
            f"{self.cores:,.1f}",
            f"{web:,}",
            f"{workers:,}",
            f"{(web + workers) * MOST:,}",
        )
        return "| " + " | ".join(cells) + " |"


def needed(known: Known) -> list[str]:
    """Tabulate how many processes banks of three sizes need."""
    used = {label: figure(known, part, name) for label, part, name in CARRIED}
    costs = []
    for label in (
        "sign-in by mPIN",
        "home screen, token and proof",
        "socket opened and subscribed",
        "whole payment, created to SETTLED",
    ):
        found = used[label]
        if found is None:
            return [f"Not reckoned: {label} was not measured."]
        costs.append(found[0] * SCALES[found[1]])
    sign_in, home, socket, payment = costs
    pushes = used["pushes sent by a worker"]
    session = sign_in + HOMES * home + socket
    sent = pushes[0] if pushes else 100.0
    said = (
        f"A session is {session * 1000:.1f} ms of a core: sign-in "
        f"{sign_in * 1000:.1f}, {HOMES} screens of {home * 1000:.1f}, socket "
        f"{socket * 1000:.1f}. A payment is {payment * 1000:.1f} ms."
    )
    rows = [Need(customers, session, payment, sent).line for customers in SIZES]
    return [said, "", HEADS, "|---" * (HEADS.count("|") - 1) + "|", *rows]


def assumed() -> list[str]:
    """List the assumptions, as the table uses them."""
    per_day = f"{SESSIONS_PER_DAY:g} session and {PAYMENTS_PER_DAY:g} payment"
    screens = f"{HOMES} screens that cost what a home screen costs"
    return [
        f"- {per_day} a customer and day; the busiest minute is {PEAK} times the mean.",
        f"- A session is one sign-in, {screens}, and a socket for {SESSION_S} s.",
        f"- {PUSHES} pushes a payment, and {POSTINGS} postings where a rail takes it.",
        f"- At the peak {LOAD:.0%} of a core is used; one process uses one core.",
        f"- {SPARE} process of each kind may be away.",
        f"- Each process opens up to {MOST} connections to PostgreSQL.",
    ]


def page(known: Known) -> dict[str, Sequence[str]]:
    """Give the made parts of docs/scale.md by the names of their marks."""
    return {
        "carried": carried(known),
        "grown": grown(known),
        "needed": [*assumed(), "", *needed(known)],
    }
