"""The double of Apache Fineract: who may call, which route answers, what is kept."""

import base64
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from sandbox.clock import WorldClock
from sandbox.fineract import audits
from sandbox.fineract.batches import batch
from sandbox.fineract.doors import DOORS, Door, get
from sandbox.fineract.keeping import BookFile
from sandbox.fineract.keys import Command, Commands
from sandbox.fineract.refusals import Refusal, no_tenant, not_signed_in, read_only
from sandbox.fineract.server import Core
from sandbox.fineract.wire import Answer, Ask, written
from sandbox.intake import Endpoint, raw_body

BASE = "/fineract-provider/api"
BATCHES = "/v1/batches"
USER, PASSWORD, TENANT = "mifos", "password", "default"  # as the server comes


class Fineract:
    """The double.

    Args:
        clock: of the world.
        file: where the book is kept; None: it is forgotten at the end.
        password: of the one user.

    Raises:
        ValueError: the file is no book of the double's.
    """

    def __init__(
        self, clock: WorldClock, file: Path | None = None, password: str = PASSWORD
    ) -> None:
        self.core = Core(clock)
        self._file = BookFile(file)
        signed = base64.b64encode(f"{USER}:{password}".encode())
        self._signed = b"Basic " + signed
        self.commands = Commands(self.core, self._keep)
        for command in self._file.load(self.core.book):
            self.commands.put(command)
        self.doors = (
            *DOORS,
            get("/v1/audits", partial(audits.every, self.commands), "commands"),
            get("/v1/audits/{auditId}", partial(audits.one, self.commands), "one"),
        )

    def endpoint(self, door: Door) -> Endpoint:
        """Give the endpoint of one route."""

        async def answer(request: Request) -> Response:
            return await self._signed_in(request, partial(self._through, door))

        return answer

    async def batches(self, request: Request) -> Response:
        """`POST /v1/batches`: several calls in one."""
        return await self._signed_in(request, self._batch)

    def keep(self) -> None:
        """Write what changed in the books since this was called last."""
        self._file.append([*self.core.book.changes()])

    def _keep(self, command: Command) -> None:
        self._file.append([*self.core.book.changes(), command])

    async def _signed_in(
        self, request: Request, serve: Callable[[Ask], Awaitable[Answer]]
    ) -> Response:
        body = await raw_body(request)
        try:
            self._check(request)
            answer = await serve(
                Ask(
                    method=request.method,
                    path=request.url.path.removeprefix(BASE),
                    query=dict(request.query_params),
                    ids=dict(request.path_params),
                    key=request.headers.get("idempotency-key"),
                    body=body,
                )
            )
        except Refusal as refusal:
            answer = self._refused(refusal)
        return Response(
            answer.text, answer.status, answer.headers, media_type="application/json"
        )

    def _check(self, request: Request) -> None:
        """Refuse who is not signed in, and banks that are not kept here."""
        if request.headers.get("fineract-platform-tenantid") != TENANT:
            raise no_tenant()
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._signed):
            raise not_signed_in()
        if self.core.knobs.readOnly and request.method != "GET":
            raise read_only(request.method)

    async def _through(self, door: Door, ask: Ask) -> Answer:
        try:
            if door.orders is not None:
                order = door.orders(self.core, ask)
                return await self.commands.run(order, ask.key, ask.body)
            found = door.reads(self.core, ask) if door.reads is not None else None
        except Refusal as refusal:
            return self._refused(refusal)
        return Answer(200, b"" if found is None else self._written(found))

    async def _batch(self, ask: Ask) -> Answer:
        stock = self.core.knobs.stockBatches
        found = await batch(ask, self._inner, stock=stock)
        return Answer(200, self._written(found))

    async def _inner(self, ask: Ask) -> Answer | None:
        for door in self.doors:
            ids = door.places(ask.method, ask.path)
            if ids is not None:
                return await self._through(door, replace(ask, ids=ids))
        return None

    def _refused(self, refusal: Refusal) -> Answer:
        headers = (
            {"www-authenticate": 'Basic realm="Fineract Platform API"'}
            if refusal.status == 401  # noqa: PLR2004  -- HTTP
            else {}
        )
        return Answer(refusal.status, self._written(refusal.body), headers)

    def _written(self, body: object) -> bytes:
        return written(body, as_text=self.core.knobs.textDates)
