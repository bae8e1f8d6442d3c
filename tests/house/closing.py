"""The last line of a run: how many tests passed, and how often the books balanced.

Loaded by `make test` as a plugin. The fixture that looks at the books after each test
says so by `record_property("books", "balanced")`; this file only counts.
"""

from collections import Counter

import pytest

BALANCED = ("books", "balanced")


class Closing:
    """Counts what the reports say and prints it when everything else is printed."""

    def __init__(self) -> None:
        self._ends: Counter[str] = Counter()
        self._balanced = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the end of a test, and a set-up or tear-down that failed."""
        if report.when == "call" or not report.passed:
            self._ends[report.outcome] += 1
        if report.when == "teardown":
            self._balanced += report.user_properties.count(BALANCED)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Print the line, after pytest's own."""
        out = config.get_terminal_writer()
        out.line(self.line())

    def line(self) -> str:
        """Say it: `512 passed · books balanced 512 times`."""
        ends = [("passed", self._ends["passed"])]
        ends += [(n, self._ends[n]) for n in ("failed", "skipped") if self._ends[n]]
        told = ", ".join(f"{count} {name}" for name, count in ends)
        return f"{told} · books balanced {self._balanced} times"


def pytest_configure(config: pytest.Config) -> None:
    """Hang the counter into the run."""
    config.pluginmanager.register(Closing())
