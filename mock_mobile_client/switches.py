"""The switches of a phone that another program of its person may turn.

`sleep`, `wake` and `airplane` turn them, and `watch` looks at them. They lie beside the
phone's own file, which only the program that runs the phone may write.
"""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from mock_mobile_client.errors import NotReady
from mock_mobile_client.store import FileStore


@dataclass(frozen=True, slots=True)
class Switches:
    """How the phone lies there.

    Attributes:
        asleep: In the background: no socket, pushes still come.
        airplane: Nothing goes out, nothing comes in.
    """

    asleep: bool = False
    airplane: bool = False


class Switchboard:
    """The switches of one phone at one bank."""

    def __init__(self, store: FileStore, bank: str, name: str) -> None:
        self._path: Path = store.place(bank, name).with_suffix(".switches")

    def read(self) -> Switches:
        """How they stand; all off where nobody turned one.

        Raises:
            NotReady: the file is damaged.
        """
        try:
            return Switches(**orjson.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return Switches()
        except (ValueError, TypeError) as error:
            raise NotReady(f"{self._path} is damaged: remove it") from error

    def turn(self, *, asleep: bool | None = None, airplane: bool | None = None) -> None:
        """Turn one; the others stay."""
        now = self.read()
        if asleep is not None:
            now = replace(now, asleep=asleep)
        if airplane is not None:
            now = replace(now, airplane=airplane)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".turning")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(orjson.dumps(asdict(now)))
        fresh.replace(self._path)
