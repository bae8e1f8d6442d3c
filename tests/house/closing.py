"""The last line of a run: how many tests passed, and how often the books balanced.

Loaded by `make test` as a plugin. The fixture that looks at the books after each test
says so by `record_property("books", "balanced")`; this file only counts. A test that
measures says its line by `record_property("figures", "...")`; all lines come before.
Tests with the marker `attack` are counted once more: one that fails has succeeded.
"""

from collections import Counter
from pathlib import Path

import pytest

BALANCED = ("books", "balanced")
SHOWN = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
SAID = {"sqlite": "", "postgres": " (all that touch a database)"}
FIGURES = "figures"
ATTACK = "attack"


class Closing:
    """Counts what the reports say and prints it when everything else is printed."""

    def __init__(self) -> None:
        self._ends: Counter[str] = Counter()
        self._balanced = 0
        self._figures: list[str] = []
        self._attacks: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the end of a test, and a set-up or tear-down that failed."""
        if report.when == "call" or not report.passed:
            self._ends[report.outcome] += 1
        if report.when == "call" and ATTACK in report.keywords:
            self._attacks[report.outcome] += 1
        if report.when == "teardown":
            told = report.user_properties
            self._balanced += told.count(BALANCED)
            self._figures += [str(line) for name, line in told if name == FIGURES]

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Print the line, after pytest's own."""
        if hasattr(config, "workerinput"):
            return  # one of several processes: the first one counts for all
        line = self.line(config.getoption("engine", "sqlite"))
        lines = [*self._figures, *self.attacks(), line]
        kept = config.getoption("closing")
        if kept is None:
            for one in lines:
                config.get_terminal_writer().line(one)
            return
        with Path(kept).open("a") as file:
            file.writelines(f"{one}\n" for one in lines)

    def attacks(self) -> list[str]:
        """Say it: `62 attacks, 0 succeeded`; nothing where none was tried."""
        failed = self._attacks["failed"]
        tried = self._attacks["passed"] + failed
        return [f"{tried} attacks, {failed} succeeded"] if tried else []

    def line(self, engine: str) -> str:
        """Say it: `SQLite: 512 passed · books balanced 400 times`."""
        ends = [("passed", self._ends["passed"])]
        ends += [(n, self._ends[n]) for n in ("failed", "skipped") if self._ends[n]]
        told = ", ".join(f"{count} {name}" for name, count in ends)
        return (
            f"{SHOWN[engine]}: {told}{SAID[engine]} · "
            f"books balanced {self._balanced} times"
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run of two engines say both lines together, at its own end."""
    parser.addoption(
        "--closing", help="file that gets the last line, if not the screen"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Hang the counter into the run."""
    config.pluginmanager.register(Closing())
