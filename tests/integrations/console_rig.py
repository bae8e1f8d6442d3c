"""The rigs of what is only printed: no partner, no line, nobody to count."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from app.integrations.push import PushMessage
from app.integrations.push import console as push_console
from app.integrations.sms import console as sms_console
from tests.integrations import push_world
from tests.integrations.kit.rig import Fault, Line, PushRig, SmsRig


class _NoLine(Line):
    faults = ()

    @override
    async def fault(self, kind: Fault, calls: int = 1) -> None:
        raise AssertionError("there is no line that could break")

    @override
    async def no_faults(self) -> None:
        """Have none to forget."""

    @override
    async def calls(self) -> int:
        return 0


class ConsolePushRig(_NoLine, PushRig):
    """Hints in the log."""

    @override
    def settings(
        self, *, away: bool = False, hasty: bool = False
    ) -> push_console.Settings:
        return push_console.Settings()

    @override
    def message(self, address: str) -> PushMessage:
        return push_world.a_hint(address)

    @override
    def address(self, number: int) -> str:
        return f"app-c0ffee-{number}"

    @override
    async def arrived(self, address: str) -> None:
        return None


class ConsoleSmsRig(_NoLine, SmsRig):
    """Texts on standard error."""

    @override
    def settings(
        self, *, away: bool = False, hasty: bool = False
    ) -> sms_console.Settings:
        return sms_console.Settings()

    @override
    def number(self, number: int) -> str:
        return f"+91555{number:07d}"

    @override
    async def arrived(self, number: str) -> None:
        return None


@contextmanager
def push(_folder: Path) -> Iterator[ConsolePushRig]:
    """Give the rig; there is nothing to start."""
    yield ConsolePushRig()


@contextmanager
def sms(_folder: Path) -> Iterator[ConsoleSmsRig]:
    """Give the rig; there is nothing to start."""
    yield ConsoleSmsRig()
