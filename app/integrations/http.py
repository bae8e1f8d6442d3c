"""The one way to call a partner over HTTP, and the one place that says sent or not.

Surely not sent, so safe to send again under the same id (`NotSent`): no connection, no
free lane, the breaker is open, 429. May have been done (`Unknown` on a write, `Outage`
on a read): the connection broke or fell silent after the first byte, any 5xx, 408, 425,
a redirect, an answer that does not parse. Source: banking.md section 5.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, urlsplit

import structlog

from app.clock import Clock
from app.database import inside_transaction
from app.errors import Outage
from app.ids import request_id
from app.integrations.breaker import Breaker
from app.integrations.exchange import Answer, Ask, from_json, to_json
from app.integrations.outcome import (
    BreakerOpen,
    Busy,
    ContractBroken,
    NotSent,
    Unknown,
)
from app.telemetry import log

if TYPE_CHECKING:
    import httpx

CONNECT_S = 2.0
LANE_S = 2.0  # wait for a free lane, then for a free connection
CONNECTIONS_MAX = 20
LANES_MAX = 32
IDLE_S = 3.0  # many servers close idle connections after 5 s; we do so before them
ANSWER_BYTES_MAX = 1024 * 1024
TOO_LONG = "the answer is too long"  # the cause of the Outage of a longer one
_DRIPS = "the answer took too long"
TOO_SLOW = frozenset({"ReadTimeout", _DRIPS})  # the causes of one that is late
TRIES = 3
JITTER_S = 0.4  # full jitter: from 0 to this, anew each time
RETRY_SHARE = 0.1  # retries may be a tenth of the calls ...
RETRY_PURSE = 10.0  # ... with this many saved up for a bad moment
RETRY_AFTER_S_MAX = 3600
_SILENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}


class _NoAnswer(Exception):
    """Sent, and nothing came back that says what happened.

    `fine` where the partner is well all the same.
    """

    def __init__(
        self, cause: str, *, malformed: bool = False, fine: bool = False
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.malformed = malformed
        self.fine = fine


class Partner:
    """One partner: its connections, its breaker and its budget of retries.

    Args:
        name: for the log and the health of the service.
        base_url: http or https, with or without a path.
        clock: time of the breaker.
        component: ServiceComponent that suffers when this partner is away.
        refuses_before_work: statuses that this partner surely sends before any work;
            503 elsewhere may come from a proxy after the work.
        headers: sent with every call, for example credentials.
        answer_bytes_max: a longer answer is none.
    """

    def __init__(  # noqa: PLR0913  -- named, and all but the clock rarely given
        self,
        name: str,
        base_url: str,
        *,
        clock: Clock,
        component: str = "TRANSFERS",
        refuses_before_work: frozenset[int] = frozenset(),
        headers: Mapping[str, str] | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{name}: base URL must be http:// or https:// and a host")
        self.name = name
        self.component = component
        self.breaker = Breaker(clock)
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers or {})
        self._refuses_before_work = refuses_before_work
        self._answer_bytes_max = answer_bytes_max
        self._lanes = asyncio.Semaphore(LANES_MAX)
        self._retries = RETRY_PURSE
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; a later call opens them again."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def read(self, ask: Ask) -> Answer:
        """Ask without effect at the partner's side.

        Raises:
            NotSent: nothing left; also Busy and BreakerOpen.
            ContractBroken: a 2xx that is not JSON.
            Outage: no answer, or a 5xx.
        """
        try:
            return await self._call(ask)
        except _NoAnswer as silence:
            kind = ContractBroken if silence.malformed else Outage
            raise kind(silence.cause, component=self.component) from None

    async def write(self, ask: Ask) -> Answer | Unknown:
        """Ask for something to be done; a 4xx is an Answer for the adapter's table.

        Raises:
            NotSent: surely nothing happened; also Busy and BreakerOpen.
        """
        try:
            return await self._call(ask)
        except _NoAnswer as silence:
            return Unknown(silence.cause)

    def unlisted(self, ask: Ask, answer: Answer) -> Unknown:
        """Turn an answer the adapter does not know into Unknown, loudly."""
        log.error(
            "partner_answer_unlisted",
            partner=self.name,
            route=ask.route,
            status=answer.status,
            op_id=str(ask.op_id),
        )
        return Unknown(f"unlisted status {answer.status}")

    async def _call(self, ask: Ask) -> Answer:
        import stamina  # noqa: PLC0415  -- not needed before the first call

        stamina.instrumentation.set_on_retry_hooks(())  # `partner_called` tells it all
        if inside_transaction():
            raise RuntimeError(f"{self.name} was called inside a database transaction")
        self._retries = min(RETRY_PURSE, self._retries + RETRY_SHARE)
        left = TRIES - 1

        def again(failure: Exception) -> bool:
            nonlocal left
            if left == 0 or not _passes_soon(failure) or self._retries < 1:
                return False
            left -= 1
            self._retries -= 1
            return True

        async for attempt in stamina.retry_context(
            on=again, attempts=TRIES, timeout=None, wait_initial=0, wait_jitter=JITTER_S
        ):
            with attempt:
                return await self._once(ask)
        raise AssertionError("the last try returns or raises")

    async def _once(self, ask: Ask) -> Answer:
        admitted = self.breaker.admit()
        if admitted is None:
            raise BreakerOpen(
                f"{self.name}: breaker is open",
                component=self.component,
                retry_after_s=self.breaker.opens_in_s(),
            )
        with admitted as call:
            began = self._clock.monotonic()
            outcome, status = "cancelled", 0
            try:
                answer = await self._exchange(ask)
            except Busy:  # says nothing about the partner's health
                outcome = "busy"
                raise
            except NotSent:
                call.fine, outcome = False, "not_sent"
                raise
            except _NoAnswer as silence:
                call.fine, outcome = silence.fine, silence.cause
                raise
            else:
                call.fine, outcome, status = True, "answered", answer.status
                return answer
            finally:
                took_s = self._clock.monotonic() - began
                log.info(
                    "partner_called",
                    partner=self.name,
                    method=ask.method,
                    route=ask.route,
                    status=status,
                    outcome=outcome,
                    duration_ms=round(took_s * 1000),
                    op_id=str(ask.op_id) if ask.op_id else None,
                )

    async def _exchange(self, ask: Ask) -> Answer:
        import httpx  # noqa: PLC0415  -- not needed before the first call

        # Lane and connection are had or given up long before this: it ends the drip.
        whole_s = LANE_S + CONNECT_S + 3 * ask.read_s
        async with self._lane():
            try:
                async with asyncio.timeout(whole_s), self._sent(ask) as response:
                    raw = await _whole(response, self._answer_bytes_max)
                    return self._judge(response.status_code, raw, response.headers)
            except httpx.PoolTimeout:
                raise self._not_sent(Busy, "no free connection") from None
            except (httpx.ConnectError, httpx.ConnectTimeout) as failure:
                raise self._not_sent(NotSent, type(failure).__name__) from None
            except httpx.RequestError as failure:
                raise _NoAnswer(type(failure).__name__) from None
            except TimeoutError:
                raise _NoAnswer(_DRIPS) from None

    @asynccontextmanager
    async def _sent(self, ask: Ask) -> AsyncIterator["httpx.Response"]:
        import httpx  # noqa: PLC0415  -- not needed before the first call

        if self._client is None:
            self._client = httpx.AsyncClient(
                limits=httpx.Limits(
                    max_connections=CONNECTIONS_MAX, keepalive_expiry=IDLE_S
                ),
                follow_redirects=False,
                trust_env=False,  # the environment is read by settings.py alone
            )
        known = structlog.contextvars.get_contextvars().get("request_id")
        headers = {"x-request-id": str(known or request_id())}
        if ask.body is not None:
            headers["content-type"] = "application/json"
        filled = {key: quote(part, safe="") for key, part in ask.path.items()}
        timeout = httpx.Timeout(
            connect=CONNECT_S, read=ask.read_s, write=ask.read_s, pool=LANE_S
        )
        async with self._client.stream(
            ask.method,
            self._base_url + ask.route.format_map(filled),
            params=dict(ask.params) or None,
            headers={**self._headers, **ask.headers, **headers},
            content=None if ask.body is None else to_json(ask.body),
            timeout=timeout,
        ) as response:
            yield response

    @asynccontextmanager
    async def _lane(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(LANE_S):
                await self._lanes.acquire()
        except TimeoutError:
            raise self._not_sent(Busy, "no free lane") from None
        try:
            yield
        finally:
            self._lanes.release()

    def _judge(self, status: int, raw: bytes, headers: Mapping[str, str]) -> Answer:
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self._not_sent(Busy, "429", _retry_after_s(headers))
        if status in self._refuses_before_work:
            raise self._not_sent(NotSent, str(status), _retry_after_s(headers))
        said = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or (
            HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        )
        if not said or status in _SILENT:
            # 425: it works on another call under this key, and says so at once.
            is_fine = status == HTTPStatus.TOO_EARLY
            raise _NoAnswer(f"status {status}", fine=is_fine)
        try:
            body = from_json(raw) if raw.strip() else None
        except ValueError:
            if status < HTTPStatus.BAD_REQUEST:
                raise _NoAnswer("a 2xx that is not JSON", malformed=True) from None
            body = None
        return Answer(status, body, dict(headers))

    def _not_sent(
        self, kind: type[NotSent], cause: str, retry_after_s: int | None = 1
    ) -> NotSent:
        return kind(
            f"{self.name}: {cause}",
            component=self.component,
            retry_after_s=retry_after_s,
        )


def _passes_soon(failure: Exception) -> bool:
    """Tell whether a try within half a second makes sense."""
    if isinstance(failure, BreakerOpen) or not isinstance(failure, NotSent):
        return False
    return failure.retry_after_s is None or failure.retry_after_s <= 1


def _retry_after_s(headers: Mapping[str, str]) -> int:
    """Read whole seconds; a date, which RFC 9110 section 10.2.3 allows too, is 1."""
    text = headers.get("retry-after", "")
    is_number = text.isascii() and text.isdigit() and len(text) <= len("3600")
    return min(int(text), RETRY_AFTER_S_MAX) if is_number else 1


async def _whole(response: "httpx.Response", most: int) -> bytes:
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > most:
            raise _NoAnswer(TOO_LONG)
    return bytes(body)
