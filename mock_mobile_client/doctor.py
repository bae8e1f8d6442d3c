"""Checks of a deployment, each with a hint how to mend it (experience.md §5.2)."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from mock_mobile_client import documents
from mock_mobile_client.api import Api, Credentials
from mock_mobile_client.enrolment import APP_VERSION
from mock_mobile_client.errors import PhoneError, Refused, Unreachable
from mock_mobile_client.handset import Handset, Setting
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.lines import line
from mock_mobile_client.notifications import Inbox
from mock_mobile_client.people import DEMO
from mock_mobile_client.wire import handshake

PAST_S, FUTURE_S = 60.0, 10.0
FOREIGN = "https://elsewhere.example"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
KNOWS_THE_DOCUMENT = frozenset({"UNAUTHENTICATED", "DPOP_REQUIRED", "FORBIDDEN"})
HTTP_OK = 200
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was seen, and what to do when it is not good."""

    name: str
    good: bool
    seen: str
    fix: str = ""


class Doctor:
    """Looks at one bank from outside; changes nothing, needs no enrolled phone."""

    def __init__(self, url: str, sandbox: str) -> None:
        self._handset = Handset("doctor", url, Setting())
        self._sandbox = sandbox

    async def examine(self) -> list[Finding]:
        """Run every check; the first that cannot reach the bank ends the round.

        Raises:
            Unreachable: nothing answers at the address.
        """
        checks: tuple[Callable[[], Awaitable[Finding]], ...] = (
            self._service,
            self._clock,
            self._transport,
            self._signed_request,
            self._shipped_operation,
            self._app_policy,
            self._contract,
            self._socket,
            self._origin,
            self._sms,
        )
        try:
            return [await check() for check in checks]
        finally:
            await self._handset.close()

    @property
    def _api(self) -> Api:
        return self._handset.api

    async def _service(self) -> Finding:
        answer = await self._api.call(
            documents.load("service_status"), {}, Credentials()
        )
        parts = answer["serviceStatus"]
        unwell = [p["component"] for p in parts if p["state"] != "OPERATIONAL"]
        seen = f"{len(parts)} components, unwell: {', '.join(unwell) or 'none'}"
        return Finding("service", not unwell, seen, "see /status.json of the bank")

    async def _clock(self) -> Finding:
        response = await self._get("/livez")
        told = response.headers.get("date")
        if told is None:
            return Finding("clock", good=True, seen="the bank tells no time")
        away = self._handset.setting.clock() - parsedate_to_datetime(told).timestamp()
        good = -PAST_S <= away <= FUTURE_S
        seen = f"this phone is {away:+.0f} s from the bank"
        return Finding("clock", good, seen, "set the clock; DPoP-Nonce bridges it")

    async def _transport(self) -> Finding:
        address = urlsplit(self._api.endpoint)
        good = address.scheme == "https" or address.hostname in LOOPBACK
        seen = f"{address.scheme} to {address.netloc}"
        return Finding("transport", good, seen, "use https outside one machine")

    async def _signed_request(self) -> Finding:
        key = DeviceKey.generate()
        asked = {"input": {"factor": "MPIN"}}
        try:
            document = documents.load("login_start")
            await self._api.call(document, asked, Credentials(key))
        except Refused as refused:
            fix = "--url must be the bank's SIXPENCE_PUBLIC_URL, letter by letter"
            return Finding("signed request", good=False, seen=refused.code, fix=fix)
        return Finding("signed request", good=True, seen="proof accepted")

    async def _shipped_operation(self) -> Finding:
        document = documents.load("home")
        body = self._api.body(document, {})
        reply = await self._api.send(body, Credentials())
        code = reply.errors[0]["extensions"]["code"] if reply.errors else "none"
        fix = "put this app's list (`manifest`) into SIXPENCE_DOCUMENTS_DIR, or update"
        return Finding("home screen's document", code in KNOWS_THE_DOCUMENT, code, fix)

    async def _app_policy(self) -> Finding:
        asked = {"platform": "ANDROID", "version": APP_VERSION}
        document = documents.load("app_policy")
        policy = await self._api.call(document, asked, Credentials())
        seen = f"version {APP_VERSION}, oldest allowed {policy['minVersion']}"
        return Finding("app version", not policy["mustUpgrade"], seen, "update the app")

    async def _contract(self) -> Finding:
        response = await self._get("/schema.graphql")
        if response.status_code != HTTP_OK:
            return Finding("contract", good=True, seen="not shown by this bank")
        digest = hashlib.sha256(response.content).hexdigest()[:12]
        return Finding("contract", good=True, seen=f"sha256 {digest}…")

    async def _socket(self) -> Finding:
        try:
            connection = await handshake(self._handset.socket_url)
        except Unreachable as error:
            fix = "let the proxy pass WebSockets and their subprotocol"
            return Finding("live socket", good=False, seen=str(error), fix=fix)
        await connection.close()
        return Finding("live socket", good=True, seen=str(connection.subprotocol))

    async def _origin(self) -> Finding:
        try:
            connection = await handshake(self._handset.socket_url, FOREIGN)
        except Unreachable as error:
            return Finding("foreign page", good=True, seen=str(error))
        await connection.close()
        fix = "check SIXPENCE_ALLOWED_ORIGINS and what the proxy does to Origin"
        return Finding("foreign page", good=False, seen="let in", fix=fix)

    async def _sms(self) -> Finding:
        try:
            await Inbox(self._sandbox, DEMO[0].phone).skip()
        except PhoneError as error:
            fix = "needed to enrol: give the sandbox's address with --sandbox"
            return Finding("SMS inbox", good=False, seen=str(error), fix=fix)
        return Finding("SMS inbox", good=True, seen=self._sandbox)

    async def _get(self, path: str) -> httpx.Response:
        try:
            address = self._handset.bank + path
            async with line(address, TIMEOUT_S) as http:
                return await http.get(address)
        except httpx.HTTPError as error:
            raise Unreachable(f"{path} of the bank does not answer") from error
