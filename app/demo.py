"""Everything on one laptop: migrate, seed once, outside world, server, start table."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer

from app import connections, desk, main, upgrade, worker
from app import settings as settings_module
from app.accounts.accounts import Opening
from app.auth.standing import NewCustomer, Staff
from app.bank import Bank, open_bank
from app.demo_people import (
    Person,
    Pot,
    account_number,
    core_seed,
    people,
    same_id,
)
from app.ids import AccountId, CustomerId
from app.integrations.core_banking import CanSeed, CoreCustomer
from app.integrations.outcome import OpRef
from app.money import Money
from app.partners import Role
from app.settings import Environment, Misconfigured, Settings

_WORLD_WAIT_S = 15
_FCM_ACCOUNT = ".sixpence/fcm-account.json"  # made by the outside world
_APNS_KEY = ".sixpence/apns-key.p8"  # same
_IMPS_KEY = ".sixpence/imps.key"  # same
_FINERACT = "fineract"  # the core that the outside world plays
_CORE_SEED = ".sixpence/fineract-seed.json"
_CORE_BOOK = ".sixpence/fineract-book.json"
_CORE_KEY = ".sixpence/fineract-password"  # made by the outside world
_STAFF = Staff(name="demo", reason="seed of the demonstration")
_CODE_DAYS = 36_500  # the demo's codes work for ever
_MONEY_WIDTH = 44  # of its column, whose neighbour must not be touched
_SHOWN = 10


# ------------------------------------------------------------------ running


async def run(settings: Settings, *, as_json: bool = False) -> int:
    """Run the demo until INT or TERM; gives the exit code.

    Raises:
        Misconfigured: production, or a port is taken.
    """
    if settings.env is Environment.PRODUCTION:
        raise Misconfigured("the demo does not run with SIXPENCE_ENV=production")
    began = time.monotonic()
    laptop = settings.model_copy(update={"activation_code_days": _CODE_DAYS})
    door = main.listen(laptop)
    await upgrade.migrate(laptop)
    world = f"http://127.0.0.1:{laptop.sandbox_port}"
    if laptop.core_banking == _FINERACT:
        _offer_core(laptop, world)
    settings_module.offer("SMS_HTTP_BASE_URL", world)
    settings_module.offer("PUSH_FCM_BASE_URL", f"{world}/fcm")
    settings_module.offer("PUSH_FCM_ACCOUNT_FILE", _FCM_ACCOUNT)
    settings_module.offer("PUSH_APNS_BASE_URL", f"{world}/apns")
    settings_module.offer("PUSH_APNS_KEY_FILE", _APNS_KEY)
    settings_module.offer("RAILS_IMPS_BASE_URL", world)
    settings_module.offer("RAILS_IMPS_CALLBACK_SECRETS_FILE", _IMPS_KEY)
    table: list[Row] = []

    def ready() -> None:
        took_s = time.monotonic() - began
        line = as_line(laptop, world, table) if as_json else None
        typer.echo(line or as_page(laptop, world, table, took_s))
        sys.stdout.flush()

    async with _world(laptop):
        opener = partial(_opened, laptop, table)
        code = await main.serve(laptop, door=door, opener=opener, ready=ready)
    if not as_json:
        typer.echo("Sixpence is closed.")
    return code


@asynccontextmanager
async def _opened(settings: Settings, table: "list[Row]") -> AsyncIterator[Bank]:
    """Open the bank in both roles, seed it, and do the worker's part beside it."""
    async with open_bank(settings, frozenset(Role)) as bank:
        for person in people(settings.demo_customers):
            table.append(await _seeded(bank, person))
        async with asyncio.TaskGroup() as group:
            working = group.create_task(worker.run(bank), name="worker")
            try:
                yield bank
            finally:
                working.cancel()


@asynccontextmanager
async def _world(settings: Settings) -> AsyncIterator[None]:
    """Start the outside world; it ends when this process ends, however that happens.

    We hold the write end of its stdin and never write: the kernel closes it for us.
    """
    _require_free(settings.sandbox_port)
    arguments = ["--port", str(settings.sandbox_port), "--exit-with-parent"]
    arguments += ["--fcm-account", _FCM_ACCOUNT, "--apns-key", _APNS_KEY]
    heard_at = f"http://127.0.0.1:{settings.port}/callbacks/imps"
    arguments += ["--imps-key", _IMPS_KEY, "--imps-callbacks", heard_at]
    if settings.core_banking == _FINERACT:
        arguments += ["--fineract-seed", _CORE_SEED, "--fineract-book", _CORE_BOOK]
        arguments += ["--fineract-password", _CORE_KEY]
    if settings.clock_offset_file is not None:
        arguments += ["--clock-file", str(settings.clock_offset_file)]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None  # noqa: S101  -- asked for as a pipe
    assert child.stdout is not None  # noqa: S101  -- same
    try:
        async with asyncio.timeout(_WORLD_WAIT_S):
            if not await child.stdout.readline():
                raise Misconfigured("the outside world did not start; see above")
        yield
    finally:
        child.stdin.close()
        await child.wait()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as taken:
            raise Misconfigured(
                f"port {port} of the outside world is in use ({taken.strerror}); "
                "end who holds it, or choose another with SIXPENCE_SANDBOX_PORT"
            ) from None


# ------------------------------------------------------------------ seeding


@dataclass(frozen=True, slots=True)
class Row:
    """One customer of the start table: who, and what is in the accounts now."""

    person: Person
    accounts: tuple[tuple[str, Money], ...]


async def _seeded(bank: Bank, person: Person) -> Row:
    """Make a customer once, through the desk's own doors; gives the present figures."""
    customer = await bank.customers.find(person.number)
    if customer is None:
        new = NewCustomer(
            name=person.name,
            phone=person.phone,
            number=person.number,
            locale=person.locale,
        )
        customer = (await desk.customers_add(bank, _STAFF, new)).id
        await bank.customers.code(_STAFF, person.number, person.code)
    known = {account.id for account in await bank.accounts.of_customer(customer)}
    if bank.links is not None and not known:
        await bank.links.link(CoreCustomer(id=customer, number=person.number))
    if bank.links is None:
        for place, pot in enumerate(person.pots):
            if AccountId(same_id("account", person.number, place)) not in known:
                await _fund(bank, customer, person, pot)
    accounts = await bank.accounts.of_customer(customer)
    figures = await bank.balances.of(accounts)
    shown = tuple(
        (one.name, figures[one.id].available) for one in accounts if one.id in figures
    )
    return Row(person, shown)


async def _fund(bank: Bank, customer: CustomerId, person: Person, pot: Pot) -> None:
    """Open one account and put its opening money in."""
    place = person.pots.index(pot)
    account = await bank.accounts.open_account(
        Opening(
            customer=customer,
            kind=pot.kind,
            name=pot.name,
            currency=pot.money.currency,
            number=account_number(person, place),
            id=AccountId(same_id("account", person.number, place)),
        )
    )
    if not isinstance(bank.core, CanSeed):
        return
    share = Money(pot.money.minor // person.history, pot.money.currency)
    for turn in range(person.history):
        op = OpRef(same_id("deposit", person.number, place, turn), b"demo")
        await bank.core.deposit(op, account.ref, share, "Opening balance")


def _offer_core(settings: Settings, world: str) -> None:
    """Say where the core is, and write what it holds at first."""
    block = "CORE_BANKING_FINERACT_"
    settings_module.offer(f"{block}BASE_URL", f"{world}/fineract-provider/api")
    settings_module.offer(f"{block}PASSWORD_FILE", _CORE_KEY)
    file = Path(_CORE_SEED)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(core_seed(people(settings.demo_customers))))


# ------------------------------------------------------------------ the start table


def as_line(settings: Settings, world: str, table: list[Row]) -> str:
    """Write the start table as one line of JSON."""
    return json.dumps(
        {
            "graphql": f"{settings.public_url}/graphql",
            "live": f"{_socket_url(settings)}/graphql",
            "page": f"{settings.public_url}/",
            "world": f"{world}/",
            "customers": [
                {
                    "name": row.person.first_name,
                    "number": row.person.number,
                    "phone": row.person.phone,
                    "code": row.person.code,
                    "accounts": [
                        {"name": name, "minorUnits": str(money.minor)}
                        for name, money in row.accounts
                    ],
                }
                for row in table
            ],
        }
    )


def as_page(settings: Settings, world: str, table: list[Row], took_s: float) -> str:
    """Write the start table for people; fits 100 columns."""
    url, live = settings.public_url, _socket_url(settings)
    lines = [
        f"{'Sixpence is open.':<52}ready in {took_s:.1f} s   profile {settings.env}",
        f"  Page       {url + '/':<36}what this is, links, live status",
        f"  GraphQL    {url + '/graphql':<36}POST, graphql-response+json",
        f"  Live       {live + '/graphql':<36}graphql-transport-ws",
        f"  Health     {url + '/readyz':<36}/metrics",
        f"  World      {world + '/':<36}SMS, FCM, APNs, IMPS; faults at /_faults",
        f"  Data       {_data(settings)}",
        "",
        f"  {'customer':<10}{'number':<10}{'phone':<14}{'accounts':<46}activation code",
    ]
    lines += [_line(row) for row in table[:_SHOWN]]
    if len(table) > _SHOWN:
        lines.append(f"  ... and {len(table) - _SHOWN} more, numbered")
    return "\n".join(
        [
            *lines,
            "",
            "A payee elsewhere: Dev Malhotra, 409900000001 at SAND0000001, by IMPS.",
            "An mPIN is not listed: it is chosen on the phone and never reaches us.",
            "Try:  make phone    or",
            f"  curl -s {url}/graphql -H 'content-type: application/json' \\",
            '       -d \'{"query":"{ serviceStatus { component state } }"}\'',
        ]
    )


def _data(settings: Settings) -> str:
    scheme, _, file = settings.database_url.partition("://")
    if scheme == "sqlite":
        return f"{file}  (make clean forgets it)"
    return connections.shown(settings.database_url)


def _line(row: Row) -> str:
    person = row.person
    money = ", ".join(
        f"{name} {figure.formatted(person.locale)}" for name, figure in row.accounts
    )
    shown = money if len(money) <= _MONEY_WIDTH else f"{money[: _MONEY_WIDTH - 1]}…"
    return (
        f"  {person.first_name:<10}{person.number:<10}{person.phone:<14}"
        f"{shown:<46}{person.code}"
    )


def _socket_url(settings: Settings) -> str:
    return "ws" + settings.public_url.removeprefix("http")
