"""Everything Ben has that has a name, and names of the same form that never existed."""

import asyncio
import base64
import re
import secrets
import uuid
from dataclasses import dataclass

import orjson

from mock_mobile_client import abroad, limits
from mock_mobile_client.enrolment import APP_VERSION
from mock_mobile_client.handset import Level
from mock_mobile_client.money import money
from mock_mobile_client.payments import new_key
from mock_mobile_client.phone import Phone, introduce
from mock_mobile_client.values import JsonObject

OBJECT = re.compile(r"([a-z]{3})_[0-9a-f]{32}")
QUOTE = re.compile(r"(quo)_[\w-]+")
STREAM = re.compile(r"ec1\.[a-z2-7]{8}(\.\d+\.\d{8})")
ROW = re.compile(r"(\d+)\.([0-9a-f]{28})[0-9a-f]{4}(\.[0-9a-f]{16})")
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
CURSORS = """{ me {
  accounts { transactions(first: 1) { pageInfo { endCursor } } }
  payments(first: 1) { pageInfo { endCursor } }
  beneficiaries(first: 1) { pageInfo { endCursor } }
  securityLog(first: 1) { nodes { id } pageInfo { endCursor } }
  inbox(first: 1) { nodes { id } pageInfo { endCursor } }
} }"""
NOTIFIED_S = 10


@dataclass(frozen=True)
class Named:
    """What can be named of one customer: what it is, and its name."""

    of: dict[str, str]

    def __getitem__(self, kind: str) -> str:
        return self.of[kind]

    def in_(self, text: str) -> set[str]:
        """Give which of them stand in an answer."""
        return {kind for kind, name in self.of.items() if name in text}


def never_existed(name: str) -> str:
    """Make a name of the same form that nobody ever had."""
    if found := OBJECT.fullmatch(name) or QUOTE.fullmatch(name):
        made = secrets.token_hex(len(name))
        return f"{found[1]}_{made[: len(name) - 4]}"
    if found := STREAM.fullmatch(name):
        epoch = "".join(secrets.choice(BASE32) for _ in range(8))
        return f"ec1.{epoch}{found[1]}"
    if row := ROW.fullmatch(_plain(name)):
        if not int(row[2], 16):  # a number in a chain is the place; its instant is not
            later = f"{int(row[1]) + 1}{_plain(name)[len(row[1]) :]}"
            return base64.urlsafe_b64encode(later.encode()).decode().rstrip("=")
        # Two rows of one transfer stand at one instant: the id keeps its place there.
        other = f"{row[1]}.{row[2]}{secrets.token_hex(2)}{row[3]}"
        return base64.urlsafe_b64encode(other.encode()).decode().rstrip("=")
    uuid.UUID(name)
    return new_key()


def _plain(name: str) -> str:
    padded = name + "=" * (-len(name) % 4)
    return base64.b64decode(padded, b"-_").decode(errors="replace")


async def everything_of(ben: Phone, second: Phone, asha: Phone) -> Named:
    """Let Ben do whatever gives him something that has a name.

    A cooling phone may begin one passkey: the registration that is left open is that of
    his second phone.
    """
    await introduce(ben, asha)
    await ben.drawer.register()
    paid = await ben.pay("asha", money("1.00 INR"))
    waiting = await ben.payments.create(await ben.order("asha", money("2.00 INR")))
    assert waiting.challenge is not None
    passkey = await ben.register_passkey()
    begun = await second.session.step_up(
        "passkey_register_start", "passkeyRegisterStart", None
    )
    home = await ben.home()
    sign_in = await ben.handset.call("login_start", {"input": {}}, Level.DEVICE)
    payee = await ben.payee("asha")
    rows = await ben.statement(home.accounts[0].id, 1)
    assert payee is not None
    order = await ben.order("asha", money("1.00 INR"))
    quoted = await abroad.quote(ben.session, order)
    pages = await _pages(ben)
    found = {
        "account": home.accounts[0].id,
        "transaction": rows.transactions[0].id,
        "paid payment": paid.id,
        "waiting payment": waiting.id,
        "challenge": waiting.challenge.id,
        "sign-in challenge": sign_in["challenge"]["id"],
        "quote": quoted.id,
        "payee": payee.id,
        "device": ben.handset.device_id,
        "passkey": passkey.id,
        "registration": begun["registrationId"],
        "key of a payment": str(paid.idempotency_key),
        "another key": str(waiting.idempotency_key),
        "place in the stream": home.stream_position,
        "place in the rows": _end(pages["me"]["accounts"][0]["transactions"]),
        "place in the payments": _end(pages["me"]["payments"]),
        "place in the payees": _end(pages["me"]["beneficiaries"]),
        "place in the log": _end(pages["me"]["securityLog"]),
        "place in the inbox": _end(pages["me"]["inbox"]),
        "notification": pages["me"]["inbox"]["nodes"][0]["id"],
        "audit entry": pages["me"]["securityLog"]["nodes"][0]["id"],
        "limit": (await limits.listed(ben.session)).limits[0].id,
    }
    return Named(found | _unshown(ben) | await _enrolment(ben))


async def _pages(ben: Phone) -> JsonObject:
    """Read the ends of his pages, once the worker has put something in his inbox."""
    for _ in range(NOTIFIED_S * 10):
        pages = (await ben.ask(CURSORS, {}, Level.LOGIN)).data
        assert pages is not None
        if pages["me"]["inbox"]["nodes"]:
            return pages
        await asyncio.sleep(0.1)
    raise AssertionError("nothing came into the inbox")


def _end(connection: JsonObject) -> str:
    return str(connection["pageInfo"]["endCursor"])


def _unshown(ben: Phone) -> dict[str, str]:
    """Read from his token what no field of today tells."""
    middle = ben.handset.token.split(".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return {"customer": claims["sub"], "session": claims["sid"]}


async def _enrolment(ben: Phone) -> dict[str, str]:
    given = {"phone": ben.owner.phone, "platform": "ANDROID"}
    given |= {"appVersion": APP_VERSION, "model": "Pixel 9"}
    started = await ben.handset.call(
        "enrolment_start", {"input": given}, Level.ANONYMOUS
    )
    return {"enrolment": started["enrolmentId"]}
