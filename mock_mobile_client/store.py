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
class StoredPasskey:
    """A passkey of the person who holds the phone; binary values are b64url.

    Attributes:
        id: Credential id.
        rp_id: For whom it was made; it answers nobody else.
        user_handle: How that party names the person.
        key_pem: The private key.
        eligible: It may be synced to other phones of the person (flag BE).
        backed_up: It was synced (flag BS).
        counter: Signature counter; stays 0 when eligible, because copies of one key
            could not agree on a number.
        passkey_id: `psk_…` of the bank, once it took the passkey.
    """

    id: str
    rp_id: str
    user_handle: str
    key_pem: str = field(repr=False)
    eligible: bool
    backed_up: bool = False
    counter: int = 0
    passkey_id: str | None = None


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
        refresh_token: Its refresh token; replaced only by the answer it led to, so that
            after a lost answer the same one is sent again.
        cursor: Place in the event stream, stored with what it led to.
        shown: What it led to: name and figures by account id.
        installation: The app's address at the push provider, made once per install.
        delivered: Number of the last message that the provider delivered.
        unanswered: Calls to be sent again.
        passkeys: The person's passkeys; they outlive the binding of the phone.
        fingers: What the phone's sensor knows; set in the phone's own settings.
        bio_pem: The biometric key, as the key store holds it behind those fingers.
        totp_secret: Seed of the authenticator app on this phone, base32.
        totp_step: Half-minute of the code it showed last; each code works once.
    """

    key_pem: str | None = field(default=None, repr=False)
    device_id: str | None = None
    blob: str | None = field(default=None, repr=False)
    blob_next: str | None = field(default=None, repr=False)
    hardware_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    token_expires_at: str | None = None
    refresh_token: str | None = field(default=None, repr=False)
    cursor: str | None = None
    shown: JsonObject = field(default_factory=dict)
    installation: str | None = field(default=None, repr=False)
    delivered: int = 0
    unanswered: tuple[Unanswered, ...] = ()
    passkeys: tuple[StoredPasskey, ...] = ()
    fingers: tuple[str, ...] = ()
    bio_pem: str | None = field(default=None, repr=False)
    totp_secret: str | None = field(default=None, repr=False)
    totp_step: int = 0


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
        path = self.place(bank, name)
        try:
            fields = orjson.loads(path.read_bytes())
            waiting = tuple(Unanswered(**call) for call in fields.pop("unanswered"))
            passkeys = tuple(StoredPasskey(**one) for one in fields.pop("passkeys", ()))
            fields["fingers"] = tuple(fields.pop("fingers", ()))
            return PhoneState(**fields, unanswered=waiting, passkeys=passkeys)
        except FileNotFoundError:
            return PhoneState()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise NotReady(f"{path} is damaged: remove it and enrol again") from error

    def save(self, bank: str, name: str, state: PhoneState) -> None:
        """See Store."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.place(bank, name)
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

    def place(self, bank: str, name: str) -> Path:
        """The file of one phone at one bank."""
        host = urlsplit(bank).netloc or bank
        plain = re.sub(r"[^a-z0-9-]+", "-", f"{name}@{host}".casefold())
        return self.folder / f"{plain}.json"
