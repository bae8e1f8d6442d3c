"""The Firebase Admin SDK, tamed. Importing this file takes up to two seconds.

Only `sender.py` imports it, in the provider's own thread and at the first message. What
the SDK does by itself and we do not want:

- It signs in inside its event loop, again at each 401. Here it holds a `Badge` that
  never signs in; `Sdk.sign_in` does, in a thread. Google's own credential would also
  send its token from a thread of its own to a lookup of Google's, whatever host the
  messages go to.
- It sends again after 500 and 503, four times in 7 s, and leaves each refused answer
  open, so that a storm empties its pool of connections. Here it sends once.
- It knows one address of FCM. `_aim` gives it ours.

Only public functions of its module send; the privates it needs are named in `_aim`.
"""

import asyncio
import itertools
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import firebase_admin  # type: ignore[import-untyped]  # ships no types
import google.auth.credentials
import google.auth.exceptions
import google.auth.transport
import google.auth.transport.requests
import httpx
import requests
from firebase_admin import messaging
from google.oauth2 import service_account
from typing_extensions import override

from app.integrations.push import (
    ConfigError,
    PayloadError,
    PushKind,
    PushMessage,
    Retry,
    Sent,
)
from app.integrations.push.fcm import answers
from app.integrations.push.fcm.answers import Verdict

HTTP_TIMEOUT_S = 5
COLLAPSE_ID_BYTES_MAX = 64  # APNs refuses a longer apns-collapse-id
_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_PASSES = {408, 429}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)
_names = itertools.count(1)


class NoToken(Exception):
    """The sign-in failed; `verdict` is what that means for every message."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(type(verdict.outcome).__name__)
        self.verdict = verdict


class Badge(google.auth.credentials.Credentials):
    """Shows the token it was given last, and never fetches one itself."""

    @property
    @override
    def expired(self) -> bool:
        """Say no: whether the token still lives is the sender's to know."""
        return False

    @override
    def refresh(self, request: object) -> None:
        """Keep the token; the SDK asks for another at each 401."""


class Sdk:
    """One app of the SDK for one Firebase project. Lives in one event loop.

    Args:
        account_file: the service account's JSON.
        base_url: where FCM is, without the version.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no service account.
    """

    def __init__(self, account_file: Path, base_url: str) -> None:
        account = json.loads(account_file.read_text())
        self._account = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]  # google-auth types only a part
            account, scopes=[_SCOPE]
        )
        self._badge = Badge()  # type: ignore[no-untyped-call]  # same
        project = str(account["project_id"])
        self._app = firebase_admin.initialize_app(
            self._badge,
            {"projectId": project, "httpTimeout": HTTP_TIMEOUT_S},
            name=f"sixpence-{next(_names)}",
        )
        self._client = _aim(
            messaging._get_messaging_service(self._app),  # noqa: SLF001  -- see _aim
            f"{base_url}/v1/projects/{project}/messages:send",
        )

    def sign_in(self) -> float:
        """Fetch a token; gives its life in seconds. Blocks, so run it in a thread.

        Raises:
            NoToken: the endpoint is away, or refuses the account.
        """
        lives: list[float] = []
        with requests.Session() as session:
            session.trust_env = False  # the environment is read by settings.py alone
            try:
                self._account.refresh(partial(_asked, session, lives))
            except google.auth.exceptions.TransportError:
                raise NoToken(answers.silence("token", sent=False)) from None
            except google.auth.exceptions.RefreshError:
                refused = Verdict(ConfigError("the account is refused"), fine=False)
                raise NoToken(refused) from None
        self._badge.token = self._account.token
        return lives[-1]

    async def send(self, message: PushMessage, expires_at: int) -> Verdict:
        """Send one message once.

        Args:
            message: for FCM_FID or FCM_TOKEN.
            expires_at: Unix time after which an iPhone need not be told.
        """
        try:
            wire = _wire(message, expires_at)
            found = await messaging.send_each_async([wire], app=self._app)
        except ValueError:
            return Verdict(PayloadError("the SDK refuses it"), fine=None)
        except firebase_admin.exceptions.UnknownError as failure:
            # A 2xx that is not JSON, and whatever else the SDK did not expect.
            return answers.silence(type(failure.cause).__name__, sent=True)
        answer = found.responses[0]
        if answer.success:
            return Verdict(Sent(str(answer.message_id)), fine=True)
        return _judged(answer.exception)

    async def close(self) -> None:
        """Close the connections and forget the app."""
        await self._client.aclose()
        # What is left for the SDK to close is closed; it wants a thread without a loop.
        await asyncio.to_thread(firebase_admin.delete_app, self._app)


def _aim(service: Any, url: str) -> httpx.AsyncClient:  # noqa: ANN401  -- of the SDK, untyped
    """Point the SDK's service at our address and let it send only once.

    The one place that reaches into the SDK; a release that moves one of these names
    stops here, at the first message and in the tests.

    Returns:
        The client that sends, to be closed in its own loop.
    """
    assert hasattr(service, "_fcm_url")  # noqa: S101  -- firebase-admin 7.7
    service._fcm_url = url  # noqa: SLF001  -- there is no public setting
    client = service._async_client.async_client  # noqa: SLF001  -- same
    assert isinstance(client, httpx.AsyncClient)  # noqa: S101  -- same
    lanes = list(service._async_client._mounts.values())  # noqa: SLF001  -- same
    assert lanes  # noqa: S101  -- same
    for lane in lanes:
        once = lane._retry.copy()  # noqa: SLF001  -- same
        assert hasattr(once, "retries_left")  # noqa: S101  -- same
        once.retries_left = 0
        lane._retry = once  # noqa: SLF001  -- same
    return client


def _asked(
    session: requests.Session, lives: list[float], **ask: object
) -> google.auth.transport.Response:
    """Call the token endpoint once, with a time limit, and note the token's life.

    Raises:
        TransportError: no answer, one that passes, such as a 503, or no JSON.
    """
    call: Any = google.auth.transport.requests.Request(session)
    answer: google.auth.transport.Response = call(**ask, timeout=HTTP_TIMEOUT_S)
    status = int(answer.status)
    if status in _PASSES or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise google.auth.exceptions.TransportError(f"status {status}")  # type: ignore[no-untyped-call]  # google-auth types only a part
    lives.append(_life_s(answer.data))
    return answer


def _life_s(body: bytes) -> float:
    """Read how long a token lives; one that does not say lives a minute.

    Raises:
        TransportError: the answer is not one JSON object.
    """
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise google.auth.exceptions.TransportError("not JSON")  # type: ignore[no-untyped-call]  # google-auth types only a part
    life_s = found.get("expires_in")
    return float(life_s) if isinstance(life_s, int | float) else 60.0


def _wire(message: PushMessage, expires_at: int) -> Any:  # noqa: ANN401  -- of the SDK, untyped
    """Write a message as data for Android and as an alert for an iPhone."""
    wire = messaging.Message(
        data=dict(message.data),
        android=messaging.AndroidConfig(
            priority="high" if message.high else "normal",
            ttl=message.ttl_s,
            collapse_key=message.collapse_key,
        ),
        apns=messaging.APNSConfig(
            headers=_apns_headers(message, expires_at),
            payload=messaging.APNSPayload(
                aps=messaging.Aps(
                    alert=messaging.ApsAlert(
                        title_loc_key=message.title_key, loc_key=message.body_key
                    ),
                    mutable_content=True,
                )
            ),
        ),
    )
    if message.kind is PushKind.FCM_TOKEN:
        # The constructor warns of `token`; suppressing a warning is not thread-safe.
        wire.token = message.address
    else:
        wire.fid = message.address
    return wire


def _apns_headers(message: PushMessage, expires_at: int) -> dict[str, str]:
    found = {
        "apns-push-type": "alert",
        "apns-priority": "10" if message.high else "5",
        "apns-expiration": str(expires_at),
    }
    if len(message.thread.encode()) <= COLLAPSE_ID_BYTES_MAX:
        found["apns-collapse-id"] = message.thread
    return found


def _judged(failure: Any) -> Verdict:  # noqa: ANN401  -- of the SDK, untyped
    """Judge an error that the SDK gives back; its text is not looked at."""
    response = failure.http_response
    if isinstance(response, httpx.Response):
        headers: Mapping[str, str] = response.headers
        return answers.read(response.status_code, headers, response.content)
    cause = failure.cause
    if isinstance(cause, httpx.PoolTimeout):  # our own lane is full: no word of FCM
        return Verdict(Retry(), fine=None)
    if isinstance(cause, _NOT_SENT):
        return Verdict(Retry(), fine=False)
    return answers.silence(type(cause).__name__, sent=True)
