"""The page at `/`: what this is, where things are, how the bank is right now.

Static text without a script; the figures are of the moment it was asked for. Beside it
`/status.json`, and outside production the contract at `/schema.graphql`.
"""

import html

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.bank import Bank
from app.clock import rfc3339
from app.status.health import ComponentHealth

_LANGUAGE = "en"
_SHELL = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sixpence</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem;
        margin: 3rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .25rem .75rem .25rem 0;
          border-bottom: 1px solid #ddd; }}
code {{ background: #f3f3f3; padding: 0 .25rem; }}
</style>
</head>
<body>
<h1>Sixpence</h1>
<p>The backend behind a bank's mobile app: accounts, payments that the customer signs on
the phone, and live updates, over one GraphQL address.</p>
<h2>Status</h2>
<table>
<tr><th>Component</th><th>State</th><th>Since (UTC)</th></tr>
{rows}
</table>
<h2>Where things are</h2>
<ul>
<li><code>POST {url}/graphql</code> for queries and mutations</li>
<li><code>{socket}/graphql</code> for subscriptions (graphql-transport-ws)</li>
{links}
</ul>
</body>
</html>
"""
_LINKS = (
    ("/status.json", "status for programs"),
    ("/readyz", "readiness"),
    ("/metrics", "figures"),
    ("/.well-known/jwks.json", "keys that sign the tokens"),
)
_CONTRACT = ("/schema.graphql", "the contract, with every description")


async def front(request: Request) -> Response:
    """Show what this is."""
    bank: Bank = request.app.state.bank
    url = bank.settings.public_url
    links = _LINKS if request.app.state.contract is None else (_CONTRACT, *_LINKS)
    page = _SHELL.format(
        language=_LANGUAGE,
        rows="\n".join(_row(one) for one in bank.board.now()),
        url=html.escape(url),
        socket=html.escape("ws" + url.removeprefix("http")),
        links="\n".join(
            f'<li><a href="{path}">{path}</a>: {text}</li>' for path, text in links
        ),
    )
    return HTMLResponse(page)


async def status(request: Request) -> Response:
    """Give serviceStatus to programs without a GraphQL client."""
    bank: Bank = request.app.state.bank
    shown = [_shown(one) for one in bank.board.now()]
    return Response(
        orjson.dumps({"serviceStatus": shown}), media_type="application/json"
    )


async def contract(request: Request) -> Response:
    """Give the SDL; in production there is none here."""
    text = request.app.state.contract
    if text is None:
        return PlainTextResponse("not found\n", 404)
    return PlainTextResponse(text)


def _row(one: ComponentHealth) -> str:
    return (
        f"<tr><td>{one.component}</td><td>{one.state}</td>"
        f"<td>{rfc3339(one.since)}</td></tr>"
    )


def _shown(one: ComponentHealth) -> dict[str, object]:
    return {
        "component": one.component.value,
        "state": one.state.value,
        "since": rfc3339(one.since),
        "successRate1m": one.success_rate_1m,
        "p95Ms": one.p95_ms,
        "automatic": True,
    }


ROUTES = [
    Route("/", front),
    Route("/status.json", status),
    Route("/schema.graphql", contract),
]
