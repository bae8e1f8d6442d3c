"""The phone as authenticator app, and the recovery codes on paper (auth.md §3.5).

RFC 6238 as every such app has it: HMAC-SHA-1, six digits, half a minute. The paper is
a file that only its owner may read.
"""

import base64
import binascii
import hmac
import os
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotAsIntended, NotReady
from mock_mobile_client.handset import Handset
from mock_mobile_client.session import Session

STEP_S, DIGITS = 30, 6
USUAL = {"algorithm": "SHA1", "digits": "6", "period": "30"}


def code_at(secret: str, step: int) -> str:
    """The code of one half-minute (RFC 6238 §4.2, RFC 4226 §5.3).

    Raises:
        NotAsIntended: the seed is not base32.
    """
    try:
        seed = base64.b32decode(secret + "=" * (-len(secret) % 8), casefold=True)
    except binascii.Error as error:
        raise NotAsIntended("the seed of the codes is not base32") from error
    digest = hmac.digest(seed, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 0x0F
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def scan(uri: str) -> str:
    """Read the seed of an otpauth address, as from its picture.

    Raises:
        NotAsIntended: it is no address of half-minute codes of six digits.
    """
    parts = urlsplit(uri)
    facts = {name: values[0] for name, values in parse_qs(parts.query).items()}
    strange = [n for n, usual in USUAL.items() if facts.get(n, usual) != usual]
    if (parts.scheme, parts.netloc) != ("otpauth", "totp") or strange:
        raise NotAsIntended("the bank sent no address of six-digit half-minute codes")
    if "secret" not in facts or not unquote(parts.path).strip("/"):
        raise NotAsIntended("the address of the codes names no seed or no account")
    return facts["secret"]


def show(handset: Handset) -> str:
    """The code of now, as the app shows it.

    Raises:
        NotReady: no authenticator is set up here, or this half-minute's code was
            shown already and would be refused.
    """
    secret = handset.state.totp_secret
    if secret is None:
        raise NotReady(f"{handset.name} is nobody's authenticator: enrol TOTP on it")
    step = int(handset.setting.clock()) // STEP_S
    if step <= handset.state.totp_step:
        left_s = (handset.state.totp_step + 1) * STEP_S - int(handset.setting.clock())
        raise NotReady(f"this code was used; the next one shows in {left_s} s")
    handset.keep(totp_step=step)
    return code_at(secret, step)


async def enrol(
    session: Session, factor: FactorKind = FactorKind.MPIN
) -> tuple[str, ...]:
    """Make this phone the authenticator; answers the recovery codes.

    Raises:
        Refused: COOLING_PERIOD, or INVALID_CREDENTIAL for a wrong code.
    """
    handset = session.handset
    started = await session.step_up("totp_enrol_start", "totpEnrolStart", None, factor)
    secret = scan(started["otpauthUri"])
    handset.keep(totp_secret=secret, totp_step=0)
    given = {"input": {"code": show(handset)}}
    finished = await session.call("totp_enrol_finish", given)
    return tuple(finished["recoveryCodes"])


async def remove(session: Session, factor: FactorKind = FactorKind.MPIN) -> None:
    """Take TOTP away, by step-up.

    Raises:
        Refused: COOLING_PERIOD while this phone is young.
    """
    await session.step_up("totp_remove", "totpRemove", None, factor)
    session.handset.keep(totp_secret=None, totp_step=0)


async def regenerate(
    session: Session, factor: FactorKind = FactorKind.MPIN
) -> tuple[str, ...]:
    """Get ten new recovery codes; the former ones stop working."""
    answer = await session.step_up(
        "recovery_codes_regenerate", "recoveryCodesRegenerate", None, factor
    )
    return tuple(answer["codes"])


class Paper:
    """The recovery codes of one customer, written down at home."""

    def __init__(self, folder: Path, owner: str) -> None:
        self._path = folder / f"{owner.casefold()}.paper"

    @property
    def place(self) -> Path:
        """Where it lies."""
        return self._path

    def write(self, codes: tuple[str, ...]) -> None:
        """Write the codes down in place of all former ones."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".writing")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(fresh, flags, 0o600), "w") as file:
            file.write("".join(f"{code}\n" for code in codes))
        fresh.replace(self._path)

    def read(self) -> tuple[str, ...]:
        """The codes that are not struck out.

        Raises:
            BadEntry: nobody wrote any down.
        """
        try:
            return tuple(self._path.read_text().split())
        except FileNotFoundError as error:
            raise BadEntry("no recovery codes are written down") from error

    def strike(self, code: str) -> None:
        """Strike a used code out."""
        self.write(tuple(one for one in self.read() if one != code))
