"""Apple's rig: the sandbox, with a key that it made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from app.integrations.push import PushMessage, apns
from tests.integrations import apns_world
from tests.integrations.apns_world import AppleWorld
from tests.integrations.fcm_rig import TOLD, SandboxPushRig
from tests.sandbox.world import an_open_world


class ApnsRig(SandboxPushRig):
    """Apple Push Notification service."""

    dead = apns_world.token("dead", TOLD)
    route = apns_world.SEND

    def __init__(self, world: AppleWorld) -> None:
        super().__init__(world)
        self._url = world.apns_url
        self.secrets = tuple(world.account.read_text().splitlines()[1:-1])

    @override
    def settings(self, *, away: bool = False, hasty: bool = False) -> apns.Settings:
        given = {"key_file": self.world.account, "base_url": self._url}
        return apns.Settings.model_validate(given)

    @override
    def message(self, address: str) -> PushMessage:
        return apns_world.a_hint(address)

    @override
    def address(self, number: int) -> str:
        return apns_world.token(f"a{number:03d}", TOLD)


@contextmanager
def push(folder: Path) -> Iterator[ApnsRig]:
    """Start the sandbox."""
    key = folder / "key.p8"
    with an_open_world("--apns-key", str(key)) as http:
        yield ApnsRig(AppleWorld(http, key))
