"""`streams new-epoch` at a terminal: a step of every restore, written down."""

import asyncio

from app import database
from app.clock import Clock
from app.ids import CustomerId
from app.realtime import log
from tests.behind import ask
from tests.realtime.world import balance_fact, record
from tests.terminal import WHO, Terminal, terminal

__all__ = ["terminal"]

ASHA = ("customers", "add", "--name", "Asha Rao", "--phone", "+919876543210")


def epochs(terminal: Terminal) -> list[tuple[object, ...]]:
    """Give epoch and number of every stream."""
    sql = "SELECT customer_id, epoch, seq FROM stream_head ORDER BY customer_id"
    return ask(terminal.settings, sql)


def acts(terminal: Terminal) -> list[tuple[object, ...]]:
    """Give what the audit chains say of it."""
    sql = "SELECT actor_kind, actor_id, object, detail FROM audit_entry "
    where = "WHERE action = 'staff.streams_renewed' ORDER BY at, id"
    return ask(terminal.settings, sql + where)


async def something_happens(terminal: Terminal, *customers: CustomerId) -> None:
    async with database.open_database(terminal.settings):
        log.open_log(Clock(), lambda _hint: None)
        await record(*(balance_fact(one) for one in customers))


def test_every_stream_or_one_gets_another_epoch_and_the_audit_says_who_and_why(
    terminal: Terminal,
) -> None:
    terminal.type(*ASHA, "--number", "10000001", *WHO)
    ((asha,),) = ask(terminal.settings, "SELECT id FROM customer")
    ann = CustomerId.parse(f"cus_{str(asha).replace('-', '')}")
    asyncio.run(something_happens(terminal, ann, CustomerId.new()))
    first = epochs(terminal)

    one = terminal.type("streams", "new-epoch", "--customer", "10000001", *WHO)
    second = epochs(terminal)
    every = terminal.type("streams", "new-epoch", *WHO)
    third = epochs(terminal)
    unknown = terminal.type("streams", "new-epoch", "--customer", "99999999", *WHO)
    nobody = terminal.type("streams", "new-epoch", "--by", " ", "--reason", "why")
    left_out = terminal.type("streams", "new-epoch", "--by", "Meera")

    assert (one.code, one.out) == (0, "streams with another epoch: 1\n")
    assert (every.code, every.out) == (0, "streams with another epoch: 2\n")
    changed = [before != after for before, after in zip(first, second, strict=True)]
    assert sorted(changed) == [False, True]
    assert not set(second) & set(third)
    assert [row[2] for row in first] == [row[2] for row in third]
    why = '{"reason":"ticket 4711"}'
    told = '{"reason":"ticket 4711","streams":2}'
    assert acts(terminal) == [
        ("STAFF", "Meera", str(ann), why),
        ("STAFF", "Meera", None, told),
    ]
    assert unknown.error == "NOT_FOUND: No customer has that number.\n"
    assert (unknown.code, nobody.code, left_out.code) == (1, 1, 2)
    assert epochs(terminal) == third
