"""The customer's security log: newest first, by cursor, nobody else's."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from app import audit, database
from app.audit import ActorKind, Entry, Outcome
from app.database import Tx
from app.errors import BadRequest
from app.ids import AuditId, CustomerId, DeviceId
from app.schema.auth.security_log import AuditEntry, CustomerFields, audit_node
from app.settings import Settings
from tests.conftest import NOON

ASHA, BEN = CustomerId(UUID(int=1)), CustomerId(UUID(int=2))


def asked_by(customer: CustomerId) -> Any:
    """Give what a resolver is told of its caller."""
    actor = SimpleNamespace(known_customer=customer)
    return SimpleNamespace(context=SimpleNamespace(actor=actor))


async def written(*entries: Entry) -> None:
    async def work(tx: Tx) -> None:
        for one in entries:
            audit.append(tx, one)

    await database.transaction(work, name="test.append")


def entry(number: int, customer: CustomerId = ASHA, **own: Any) -> Entry:
    return Entry(
        action=f"act.{number}",
        at=NOON + timedelta(seconds=number),
        request_id=f"req-{number}",
        customer=customer,
        actor_kind=own.pop("actor_kind", ActorKind.CUSTOMER),
        **own,
    )


async def test_pages_follow_each_other_without_a_gap(bank_database: Settings) -> None:
    await written(*(entry(number) for number in range(1, 8)), entry(9, BEN))
    log, seen = CustomerFields(), []
    page = await log.security_log(asked_by(ASHA), first=3)
    after = None

    for _ in range(3):
        page = await log.security_log(asked_by(ASHA), first=3, after=after)
        seen.append([one.action for one in page.nodes])
        after = page.page_info.end_cursor
        await written(entry(100 + len(seen)))  # what comes meanwhile moves nothing

    assert seen == [
        ["act.7", "act.6", "act.5"],
        ["act.4", "act.3", "act.2"],
        ["act.1"],
    ]
    assert not page.page_info.has_next_page
    assert page.page_info.has_previous_page


async def test_an_entry_says_who_where_and_how_it_ended(
    bank_database: Settings,
) -> None:
    device = DeviceId(UUID(int=3))
    await written(
        entry(
            1,
            device=device,
            address="192.0.2.1",
            object="pay_1",
            outcome=Outcome.DENIED,
            code="COOLING_PERIOD",
        ),
        entry(2, actor_kind=ActorKind.STAFF, actor_id="Meera"),
        entry(3, actor_kind=ActorKind.PARTNER, outcome=Outcome.FAILED),
        entry(4, actor_kind=ActorKind.SYSTEM),
    )

    page = await CustomerFields().security_log(asked_by(ASHA))

    shown = [(one.actor, one.outcome) for one in page.nodes]
    assert shown == [
        ("system", "ok"),
        ("third party", "failed"),
        ("staff", "ok"),
        ("customer", "refused:COOLING_PERIOD"),
    ]
    eldest = page.nodes[-1]
    assert (eldest.ip, eldest.device_id) == ("192.0.2.1", str(device))
    assert eldest.object == "pay_1"
    assert "Meera" not in repr(page)


async def test_an_entry_is_found_by_its_customer_alone(bank_database: Settings) -> None:
    mine = entry(1)
    await written(mine)

    found = await audit_node(asked_by(ASHA).context, mine.id)

    assert isinstance(found, AuditEntry)
    assert found.id == str(mine.id)
    assert await audit_node(asked_by(BEN).context, mine.id) is None
    assert await audit_node(asked_by(ASHA).context, AuditId.new()) is None


@pytest.mark.parametrize(
    ("first", "after"), [(0, None), (101, None), (5, "!"), (5, "MQ")]
)
async def test_a_page_that_cannot_be_is_refused(
    bank_database: Settings, first: int, after: str | None
) -> None:
    with pytest.raises(BadRequest):
        await CustomerFields().security_log(asked_by(ASHA), first=first, after=after)
