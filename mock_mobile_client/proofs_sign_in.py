"""Proof 5 of acceptance.md: what a stolen refresh token is good for. Nothing."""

from mock_mobile_client import documents
from mock_mobile_client.api import Api, Credentials
from mock_mobile_client.errors import ProofFailed, Refused, Unreachable, expect
from mock_mobile_client.handset import Setting
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.live import Live
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.stage import Tell, silent
from mock_mobile_client.stream import Event
from mock_mobile_client.values import JsonObject, TokenValue
from mock_mobile_client.world_clock import SKIPPED, WorldClock

TRIES = 5
LATER_S = 240
ENDED_SOCKET = 4401
SECURITY = "SECURITY"


async def proof_05(
    url: str, sandbox: str, setting: Setting | None = None, tell: Tell = silent
) -> None:
    """Stolen refresh token: useless without the key, and no logout button either.

    Asha-1 is robbed, Asha-2 listens: it sees one SECURITY event for the thief's tries
    and one for the replay, and each is pushed to both phones.
    """
    used = setting or Setting(iterations=ITERATIONS_MIN)
    async with (
        Phone("Asha-1", url, sandbox, used) as asha,
        Phone("Asha-2", url, sandbox, used) as other,
    ):
        await asha.start()
        await other.start()
        async with asha.live() as own, other.live() as listening:
            heard = await _listeners((asha, other), tell)
            stolen = refresh_token_of(asha)
            await _thief_without_a_key(url, stolen)
            tell("(a) without a proof: DPOP_REQUIRED")
            await _thief_with_a_key(url, stolen)
            await _told(listening, 1, heard)
            await _lives_on(asha, own)
            once = "told and pushed once" if heard else "told once"
            tell(f"(b) {TRIES} times under his own key: refused, {once}, it lives on")

            successor = await _lost_answer(asha, stolen, tell, WorldClock(sandbox))
            newest = await refreshed(asha, successor.refresh_token)
            await _replayed(asha, stolen, newest)
            closed = await own.until_closed()
            expect("close code of its socket", ENDED_SOCKET, closed.code)
            await _told(listening, 2, heard)
            tell("(d) old after its successor: SESSION_ENDED, sockets closed, told")
        await asha.login()
        await asha.home()


def refresh_token_of(phone: Phone) -> str:
    """What the thief copies.

    Raises:
        ProofFailed: the sign-in brought none.
    """
    token = phone.handset.state.refresh_token
    if token is None:
        raise ProofFailed("refresh token after a sign-in", "one", token)
    return token


async def refreshed(phone: Phone, token: str) -> TokenValue:
    """Refresh with this token under the phone's key; the phone keeps nothing of it."""
    return await _send(phone.handset.api, token, Credentials(phone.handset.key))


async def refusal(api: Api, token: str, credentials: Credentials) -> Refused:
    """The bank's no to a refresh.

    Raises:
        ProofFailed: it gave tokens.
    """
    try:
        await _send(api, token, credentials)
    except Refused as refused:
        return refused
    raise ProofFailed("a refresh that must not pass", "a refusal", "tokens")


async def _send(api: Api, token: str, credentials: Credentials) -> TokenValue:
    document = documents.load("token_refresh")
    given: JsonObject = {"input": {"refreshToken": token}}
    answer = await api.call(document, given, credentials)
    return TokenValue.read(answer["tokens"])


async def _thief_without_a_key(url: str, stolen: str) -> None:
    """(a) The bare token, as it stands in a log."""
    async with Api(url) as thief:
        no = await refusal(thief, stolen, Credentials())
    expect("without a proof", "DPOP_REQUIRED", no.code)


async def _thief_with_a_key(url: str, stolen: str) -> None:
    """(b) Under a key of the thief's own, again and again."""
    credentials = Credentials(DeviceKey.generate())
    async with Api(url) as thief:
        for _ in range(TRIES):
            no = await refusal(thief, stolen, credentials)
            expect("under a foreign key", "INVALID_CREDENTIAL", no.code)


async def _lives_on(asha: Phone, own: Live) -> None:
    """Neither token nor socket suffered."""
    token = asha.handset.token
    await asha.home()
    expect("the access token", token, asha.handset.token)
    expect("closed sockets", [], own.closings)


async def _lost_answer(
    asha: Phone, old: str, tell: Tell, clock: WorldClock
) -> TokenValue:
    """(c) The phone drops the answer and sends its old token again, also later."""
    dropped = await refreshed(asha, old)
    at_once = await refreshed(asha, old)
    expect("the successor, at once", dropped.refresh_token, at_once.refresh_token)
    await asha.home()
    if await clock.forward(LATER_S):
        later = await refreshed(asha, old)
        expect("the successor, later", dropped.refresh_token, later.refresh_token)
        tell(f"(c) the old token gave the same successor at once and {LATER_S} s later")
        return later
    tell("(c) the old token gave the same successor at once")
    tell(f"(c) {LATER_S} s later: {SKIPPED}")
    return at_once


async def _replayed(asha: Phone, old: str, newest: TokenValue) -> None:
    """(d) The old token after its successor was used ends the session for good."""
    credentials = Credentials(asha.handset.key)
    for name, token in (("replayed", old), ("newest", newest.refresh_token)):
        no = await refusal(asha.handset.api, token, credentials)
        expect(f"the {name} token", "SESSION_ENDED", no.code)


def alerts(live: Live) -> list[Event]:
    """The security events of a stream so far, oldest first."""
    return [one for one in live.picture.applied if one.kind == "SecurityEvent"]


async def _listeners(phones: tuple[Phone, ...], tell: Tell) -> tuple[Phone, ...]:
    """Give the bank a push address of each phone; none where it takes none."""
    try:
        for phone in phones:
            await phone.drawer.open()
    except (Refused, Unreachable) as error:
        tell(f"push to all devices: {error}: skipped, partly")
        return ()
    return phones


async def _told(live: Live, count: int, heard: tuple[Phone, ...]) -> None:
    """Wait for so many alerts in the stream, each pushed once to every phone.

    Events of one customer come in order, so a spare one of an earlier step shows at a
    later one.
    """
    await live.until(lambda: len(alerts(live)) >= count, f"SECURITY event {count}")
    seen = alerts(live)
    expect("categories of alerts", [SECURITY] * count, [one.category for one in seen])
    for phone in heard:
        for alert in seen:
            await _pushed(phone, alert.sequence)


async def _pushed(phone: Phone, sequence: int) -> None:
    """One notification about an event, which cannot be muted."""
    drawer = phone.drawer

    def about() -> list[str]:
        pushes = (note.push for note in drawer.notes.values())
        return [push.category for push in pushes if push.sequence == sequence]

    await drawer.until(lambda: bool(about()), f"a push about event {sequence}")
    expect(f"notifications on {phone.name}", [SECURITY], about())
