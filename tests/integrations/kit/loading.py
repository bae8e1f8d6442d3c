"""Find the adapter and the rig that a run of the kit is about, or say what is missing.

Without options every adapter file of a port is tried with the rig in
`tests/integrations/<its name>_rig.py`. `--adapter core_banking=my_bank.core --rig
my_bank.rig` tries a private one, found by dotted path, and nothing else.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from app import adapters

PORTS = ("core_banking", "push", "rails", "sms")
Rigs = Callable[[Path], AbstractContextManager[Any]]


class Missing(Exception):
    """Something is missing; the message says what, and where to read about it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} (docs/adapters.md)")


@dataclass(frozen=True, slots=True)
class Choice:
    """One adapter to be tried, and the module of its rig."""

    port: str
    name: str
    rig: str

    @property
    def package(self) -> str:
        """The folder of the port."""
        return f"app.integrations.{self.port}"

    def adapter(self) -> ModuleType:
        """Import the adapter.

        Raises:
            Missing: it is not there, or has no `Settings` or no `connect`.
        """
        try:
            found = adapters.load(self.package, self.name)
        except adapters.UnknownAdapter as unknown:
            hint = "; is its folder on PYTHONPATH?" if "." in self.name else ""
            raise Missing(f"{unknown}{hint}") from None
        for part in ("Settings", "connect"):
            if not hasattr(found, part):
                raise Missing(f"the adapter {self.name} has no `{part}`")
        return found

    def rigs(self) -> Rigs:
        """Import the rig's function of this port.

        Raises:
            Missing: there is none.
        """
        try:
            module = importlib.import_module(self.rig)
        except ModuleNotFoundError as missing:
            raise Missing(
                f"{self.port} adapter {self.name!r} needs a rig, and there is no "
                f"module {missing.name!r}"
            ) from None
        found: Rigs | None = getattr(module, self.port, None)
        if found is None:
            raise Missing(f"the rig {self.rig} has no function `{self.port}(folder)`")
        return found


def chosen(adapter: list[str], rig: str | None) -> list[Choice]:
    """Read the two options.

    Raises:
        Missing: one is not whole; says which.
    """
    if rig is not None and not adapter:
        raise Missing(f"--rig {rig} wants --adapter PORT=MODULE beside it")
    found = []
    for one in adapter:
        port, _, name = one.partition("=")
        if port not in PORTS or not name:
            raise Missing(
                f"--adapter {one!r} is not PORT=MODULE with a port out of "
                f"{', '.join(PORTS)}"
            )
        if rig is None and "." in name:
            raise Missing(
                f"{port} adapter {name!r} needs a rig: name its module with "
                "--rig MODULE"
            )
        choice = Choice(port, name, rig or _home_rig(name))
        choice.adapter()
        choice.rigs()
        found.append(choice)
    return found


def listed(port: str) -> list[Choice]:
    """Give every adapter file of a port with the rig that it must have."""
    names = adapters.choices(f"app.integrations.{port}")
    return [Choice(port, name, _home_rig(name)) for name in names]


def _home_rig(name: str) -> str:
    return f"tests.integrations.{name}_rig"
