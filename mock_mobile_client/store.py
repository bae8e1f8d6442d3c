"""What one phone keeps: key, mPIN blob, session, cursor. One JSON file, mode 0600."""

import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import orjson
from typing_extensions import override

from mock_mobile_client.errors import NotReady
from mock_mobile_client.values import JsonObject

FOLDER = Path(".sixpence") / "phones"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A call whose answer has not come: to be sent again with the same variables."""

    operation: str
    variables: JsonObject


@dataclass(frozen=True, slots=True)
class PhoneState:
    """Everything a phone knows across a restart; binary values are b64url.

    Attributes:
        key_pem: The device key, made when it was bound.
        device_id: `dev_…`, once bound.
        blob: The mPIN blob the bank confirmed.
        blob_next: A new blob whose mpinSet has not been answered yet.
        hardware_key: Stands for the key store's HMAC key of blob version 02.
        token: Access token of the last sign-in, and its end as the bank wrote it.
        cursor: Place in the event stream, stored with what it led to.
        unanswered: Calls to be sent again.
    """

    key_pem: str | None = field(default=None, repr=False)
    device_id: str | None = None
    blob: str | None = field(default=None, repr=False)
    blob_next: str | None = field(default=None, repr=False)
    hardware_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_expires_at: str | None = None
    cursor: str | None = None
    unanswered: tuple[Unanswered, ...] = ()


class Store(Protocol):
    """Where phones lie while their program is not running."""

    def load(self, bank: str, name: str) -> PhoneState:
        """The state of one phone at one bank; an empty one when there is none."""

    def save(self, bank: str, name: str, state: PhoneState) -> None:
        """Keep the state, wholly or not at all."""


class MemoryStore:
    """Keeps phones as long as the program runs."""

    def __init__(self) -> None:
        self._phones: dict[tuple[str, str], PhoneState] = {}

    def load(self, bank: str, name: str) -> PhoneState:
        """See Store."""
        return self._phones.get((bank, name.casefold()), PhoneState())

    def save(self, bank: str, name: str, state: PhoneState) -> None:
        """See Store."""
        self._phones[bank, name.casefold()] = state


class FileStore:
    """Keeps each phone in a file only its owner may read."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def load(self, bank: str, name: str) -> PhoneState:
        """See Store.

        Raises:
            NotReady: the file is damaged.
        """
        path = self._path(bank, name)
        try:
            fields = orjson.loads(path.read_bytes())
            waiting = tuple(Unanswered(**call) for call in fields.pop("unanswered"))
            return PhoneState(**fields, unanswered=waiting)
        except FileNotFoundError:
            return PhoneState()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise NotReady(f"{path} is damaged: remove it and enrol again") from error

    def save(self, bank: str, name: str, state: PhoneState) -> None:
        """See Store."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(bank, name)
        fresh = path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
            file.write(orjson.dumps(asdict(state), option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    @override
    def __repr__(self) -> str:
        return f"FileStore({str(self.folder)!r})"

    def _path(self, bank: str, name: str) -> Path:
        place = urlsplit(bank).netloc or bank
        plain = re.sub(r"[^a-z0-9-]+", "-", f"{name}@{place}".casefold())
        return self.folder / f"{plain}.json"
