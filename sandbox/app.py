"""The outside world as one Starlette app: partners, control, and a page about it."""

from html import escape
from pathlib import Path
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox import apns, fcm, fcm_account, imps
from sandbox.apns_errors import DEVELOPMENT, MAGIC, ONE_SIDED, SLOW, STATUS
from sandbox.apns_key import Signers
from sandbox.calls import Caller, Listener
from sandbox.clock import WorldClock
from sandbox.faults import FaultPlan
from sandbox.fcm_account import Tokens
from sandbox.fineract import routes as fineract_routes
from sandbox.fineract.double import Fineract
from sandbox.imps import Imps
from sandbox.inbox import Inboxes
from sandbox.intake import Endpoint, Refused, json_object, refused
from sandbox.line import Line
from sandbox.sms import SmsGateway

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class _Path(NamedTuple):
    """One line of the page at `/`, and the route behind it."""

    method: str
    path: str
    endpoint: Endpoint
    says: str


def create_app(
    line: Line,
    clock_file: Path | None = None,
    tokens: Tokens | None = None,
    signers: Signers | None = None,
    listener: Listener | None = None,
    fineract: Fineract | None = None,
) -> Starlette:
    """Build the outside world with nothing in it yet.

    Args:
        line: breaks connections; it is told its server afterwards.
        clock_file: offset file of the bank's clock, None where time cannot be moved.
        tokens: who may send by FCM; None lets nobody.
        listener: where the bank hears of payments; None: it is not called.
        signers: who may send by Apple's service; None lets nobody.
        fineract: the core bank; None opens an empty one.
    """
    clock = WorldClock(clock_file)
    inboxes = Inboxes(clock)
    plan = FaultPlan(line)
    line.at_close(inboxes.wake)
    apple = apns.Apns(inboxes, signers or Signers(None), clock)
    partners = _partners(plan, inboxes, tokens or Tokens(None))
    partners += _apple(plan, apple)
    caller = Caller(clock, listener or Listener())
    partners += _rail(plan, Imps(clock, plan, caller))
    core_bank = fineract or Fineract(clock)
    partners += _core_bank(plan, core_bank)
    control = _control(plan, inboxes, clock)
    control += [_Path(*one) for one in fineract_routes.control(core_bank)]
    page = _page([*partners, *control])

    async def show_page(_request: Request) -> Response:
        return page

    front = _Path("GET", "/", show_page, "this page")
    paths = [front, *partners, *control]
    routes = [Route(p.path, p.endpoint, methods=[p.method]) for p in paths]
    return Starlette(
        routes=[*routes, Route(apns.LOST_ROUTE, apple.lost, methods=_METHODS)],
        exception_handlers={Refused: refused},
        lifespan=caller.calling,
        # A page of another site must not read the texts by naming itself 127.0.0.1.
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        ],
    )


def _partners(plan: FaultPlan, inboxes: Inboxes, tokens: Tokens) -> list[_Path]:
    sign_in = plan.around(fcm_account.ROUTE, tokens.exchange, _nobody)
    push = plan.around(fcm.ROUTE, fcm.Fcm(inboxes, tokens).accept, fcm.fcm_address)
    send_sms = plan.around("/sms/messages", SmsGateway(inboxes).accept, _sms_number)
    return [
        _Path(
            "POST",
            "/sms/messages",
            send_sms,
            'SMS gateway: {"id": uuid, "to": "+91…", "text": …}, once per id',
        ),
        _Path(
            "POST",
            fcm_account.ROUTE,
            sign_in,
            "Google's token endpoint: a signed assertion against a bearer token",
        ),
        _Path(
            "POST",
            fcm.ROUTE,
            push,
            "Firebase Cloud Messaging v1: a message to one app; addresses that begin "
            "with dead- bad- mismatch- quota- down- thirdparty- slow- fail like that",
        ),
    ]


def _rail(plan: FaultPlan, rail: Imps) -> list[_Path]:
    fates = "; ".join(f"{digits} {says}" for digits, says in imps.SAYS.items())
    doors = {
        ("POST", imps.NAMES, "who holds an account, by its last two digits"): (
            rail.enquire
        ),
        (
            "POST",
            imps.PAY,
            f"IMPS: an order, once per id. The amount's last digits choose: {fates}",
        ): rail.pay,
        ("GET", imps.STATUS, "what became of an order"): rail.status,
        ("GET", imps.SETTLEMENT, "what moved on a UTC day, as CSV"): rail.settlement,
    }
    return [
        _Path(method, path, plan.around(path, endpoint, rail.payee_of), says)
        for (method, path, says), endpoint in doors.items()
    ]


def _apple(plan: FaultPlan, apple: apns.Apns) -> list[_Path]:
    words = ", ".join(f"{word} {why}" for word, why in MAGIC.items())
    says = (
        "Apple's push service: a message to one iPhone. Device tokens that begin with "
        f"a magic word are refused: {words}; ee00 to ee{len(STATUS) - 1} the errors of "
        f"Apple's table by number. {SLOW} answers late"
    )
    return [
        _Path(
            "POST",
            apns.ROUTE,
            plan.around(apns.ROUTE, apple.accept, apns.apns_address),
            says,
        ),
        _Path(
            "POST",
            apns.DEVELOPMENT_ROUTE,
            plan.around(apns.DEVELOPMENT_ROUTE, apple.accept, apns.apns_address),
            f"the same for builds under development; knows tokens of {DEVELOPMENT}; of "
            f"{ONE_SIDED} it says that the key is for production only",
        ),
        _Path("GET", "/apns/errors", _show_errors, "Apple's table of errors, numbered"),
    ]


def _core_bank(plan: FaultPlan, double: Fineract) -> list[_Path]:
    address = fineract_routes.address_of(double)
    return [
        _Path(method, path, plan.around(path, endpoint, address), says)
        for method, path, endpoint, says in fineract_routes.partner(double)
    ]


def _control(plan: FaultPlan, inboxes: Inboxes, clock: WorldClock) -> list[_Path]:
    return [
        _Path(
            "GET",
            "/phones/{address}/inbox",
            inboxes.show,
            "what arrived: ?after=N&wait=SECONDS, at most 25",
        ),
        _Path("GET", "/_faults", plan.show, "the fault plan"),
        _Path(
            "PUT",
            "/_faults",
            plan.put,
            "set a fault: route, kind, and if wanted address, reply, rate, count, "
            "latency_ms, seed",
        ),
        _Path("DELETE", "/_faults", plan.clear, "forget all faults"),
        _Path("GET", "/_clock", clock.show, "seconds by which time is moved"),
        _Path("PUT", "/_clock", clock.move, 'move time: {"offset_s": int}'),
        _Path("GET", "/livez", _alive, "answers while the process lives"),
    ]


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _show_errors(_request: Request) -> Response:
    numbered = enumerate(STATUS.items())
    rows = (f"ee{at:02d}  {status}  {why}\n" for at, (why, status) in numbered)
    return PlainTextResponse("".join(rows))


async def _nobody(_request: Request) -> str | None:
    """Give no address: a sign-in is for nobody's phone."""
    return None


async def _sms_number(request: Request) -> str | None:
    """Give whom a text is for; a body nobody can read names nobody."""
    try:
        to = (await json_object(request)).get("to")
    except Refused:
        return None
    return to if isinstance(to, str) else None


def _page(paths: list[_Path]) -> Response:
    rows = "".join(
        f"<tr><td>{p.method}<td><code>{escape(p.path)}</code><td>{escape(p.says)}"
        for p in paths
    )
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>The outside world"
        "</title><h1>The outside world</h1><p>The partners of a bank, played on this "
        "machine: what the bank sends arrives in the inboxes below. Nothing leaves "
        "the machine, and everything is forgotten at the end."
        f"<table>{rows}</table></html>\n",
        headers={"content-security-policy": "default-src 'none'"},
    )
