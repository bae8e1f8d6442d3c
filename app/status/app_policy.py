"""Which app versions may be used: the bank's way to retire a build."""

import re
from dataclasses import dataclass

from app.settings import Settings

_NUMBERS = re.compile(r"\d{1,9}(\.\d{1,9}){0,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AppPolicy:
    """What an app of one version is told at start."""

    min_version: str
    latest_version: str
    must_upgrade: bool


class AppPolicies:
    """Judges app versions by the settings MIN_APP_VERSION and LATEST_APP_VERSION."""

    def __init__(self, settings: Settings) -> None:
        self._least = settings.min_app_version
        self._latest = settings.latest_app_version

    def of(self, version: str) -> AppPolicy:
        """Tell a version whether it may go on.

        Versions are up to four numbers with points; letters after them do not count,
        and a text that is no version is older than every version.
        """
        return AppPolicy(self._least, self._latest, not self.allows(version))

    def allows(self, version: str) -> bool:
        """Tell whether a version is not too old."""
        return _parts(version) >= _parts(self._least)


def _parts(version: str) -> tuple[int, ...]:
    found = _NUMBERS.match(version.strip())
    if found is None:
        return (-1, 0, 0, 0)
    numbers = [int(part) for part in found[0].split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))
