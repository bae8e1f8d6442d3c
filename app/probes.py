"""Whether this process is alive, ready and started, and its figures.

`/livez`: the loop turns. `/readyz`: the database answers within a second, on SQLite
its connection that writes too, and nobody told this process to end; a sick core shows
in serviceStatus, a bus that is away in `sixpence_bus_up`, neither here. `/metrics`:
Prometheus text; keep it off the internet.
"""

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app import database, telemetry

_DATABASE_S = 1.0


async def livez(_request: Request) -> Response:
    """Answer while the loop turns."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """Answer 200 when this process can serve and goes on to, else 503."""
    if getattr(request.app.state, "draining", False):
        return PlainTextResponse("draining\n", 503)
    if not getattr(request.app.state, "ready", False):
        return PlainTextResponse("not ready\n", 503)
    try:
        async with asyncio.timeout(_DATABASE_S):
            await database.answering()
    except Exception as cause:  # noqa: BLE001  -- whatever keeps the database from answering
        telemetry.log.warning("probe_failed", cause=type(cause).__name__)
        return PlainTextResponse("database does not answer\n", 503)
    return PlainTextResponse("ok\n")


async def startupz(request: Request) -> Response:
    """Answer 200 once the bank is open."""
    started = getattr(request.app.state, "ready", False)
    return PlainTextResponse(
        "ok\n" if started else "starting\n", 200 if started else 503
    )


async def metrics(_request: Request) -> Response:
    """Give the figures of this process."""
    return Response(generate_latest(telemetry.registry), media_type=CONTENT_TYPE_LATEST)


ROUTES = [
    Route("/livez", livez),
    Route("/readyz", readyz),
    Route("/startupz", startupz),
    Route("/metrics", metrics),
]
