"""How a core adapter behaves: what it lets go of, keeps to itself, and never does."""

import pytest
from structlog.testing import capture_logs

from app import database
from app.database import Tx
from app.errors import Outage
from app.integrations.core_banking import (
    AccountState,
    CoreCaps,
    LocalBook,
    OpKind,
    Remote,
)
from tests.integrations.kit.core_bench import (
    PAYER,
    CoreBench,
    an_op,
)
from tests.integrations.kit.held import all_let_go, open_things
from tests.integrations.kit.promises import Promise, kept
from tests.integrations.kit.rig import Fault

PREFIX = "SIXPENCE_CORE_BANKING_"


async def test_it_says_what_it_can_and_has_settings_of_its_own(
    core: CoreBench,
) -> None:
    caps = core.core.caps
    prefix = core.module.Settings.model_config["env_prefix"]

    kept(Promise.FORM, isinstance(caps, CoreCaps), caps)
    kinds = isinstance(core.core, LocalBook), isinstance(core.core, Remote)
    kept(Promise.FORM, kinds == (caps.local, not caps.local), f"{caps}: {kinds}")
    own = prefix.startswith(PREFIX) and prefix.endswith("_") and prefix != PREFIX
    kept(Promise.FORM, own, f"env_prefix {prefix!r}, not {PREFIX}<NAME>_")


async def test_close_lets_go_of_everything(core: CoreBench) -> None:
    asha, ben = await core.account(1000), await core.account()
    before = open_things()

    async with core.anew() as other:
        await core.rig.opened(other)
        bench = CoreBench(core.module, other, core.rig)
        await bench.transfer(an_op(), asha, ben, 1)
        await bench.balance(asha)
        await bench.page(asha, 1)
    await core.rig.opened(core.core)

    left = await all_let_go(before)
    kept(Promise.CLOSE, not left, f"{left} still open")


async def test_no_secret_and_no_name_is_told(
    core: CoreBench, caplog: pytest.LogCaptureFixture
) -> None:
    rig = core.rig
    assert rig.secrets or core.core.caps.local, "the rig must name the secrets"
    customer = await rig.customer()
    asha = await rig.account(core.money(1000), customer)
    ben = await core.account()

    with capture_logs() as logged:
        async with core.anew() as other:
            await rig.opened(other)
            bench = CoreBench(core.module, other, rig)
            told: list[object] = [rig.settings(), other, other.caps]
            told += [await bench.transfer(an_op(), asha, ben, n) for n in (1, 5000)]
            told += [await other.accounts(customer), await bench.page(asha, 5)]
            told.append(await other.set_state(an_op(), asha, AccountState.BLOCKED))
            told.append(await bench.transfer(an_op(), asha, ben, 1))
            for fault in rig.faults:
                await rig.fault(fault)
                op = an_op()
                try:
                    told.append(await bench.transfer(op, ben, asha, 1))
                except Outage as raised:
                    told += [raised, raised.cause, raised.__cause__]
                await rig.no_faults()
                asked = core.context(ben, asha, 1)
                told.append(await other.lookup(op, OpKind.TRANSFER, asked))
    await rig.opened(core.core)

    # A row names the other side to the customer who may see it.
    shown = repr([repr(one) for one in told[3:] if not isinstance(one, tuple)])
    everything = repr((told[:3], shown, logged, caplog.text))
    for kind, hidden in (
        *(("a secret", secret) for secret in rig.secrets),
        ("the payer's name", PAYER),
        ("the customer's number", customer.number),
    ):
        kept(Promise.SECRETS, hidden not in everything, f"{kind} was told")


async def test_it_is_never_called_inside_a_transaction(
    remote: CoreBench, transactions: None
) -> None:
    asha, ben = await remote.account(1000), await remote.account()
    await remote.balance(asha)  # a connection is open, so that only a rule can stop it
    before = await remote.rig.calls()

    async def asks(_tx: Tx) -> None:
        await remote.core.balances([asha])

    async def moves(_tx: Tx) -> None:
        await remote.transfer(an_op(), asha, ben, 1)

    for work in (asks, moves):
        refused = False
        try:
            await database.transaction(work, name="kit.inside")
        except Exception:  # noqa: BLE001  -- any complaint keeps the promise
            refused = True
        kept(Promise.TRANSACTION, refused, f"{work.__name__} inside a transaction")

    asked = await remote.rig.calls() - before
    kept(Promise.TRANSACTION, asked == 0, f"{asked} calls came through")


async def test_a_broken_answer_does_not_break_the_next(remote: CoreBench) -> None:
    asha, ben = await remote.account(1000), await remote.account()
    await remote.rig.fault(Fault.DROP_AFTER_WORK)
    await remote.transfer(an_op(), asha, ben, 1)

    figures = await remote.figures(asha)
    second = await remote.transfer(an_op(), asha, ben, 2)

    kept(Promise.BALANCE, figures == (999, 0, 999), figures)
    kept(Promise.ONCE, await remote.figures(asha) == (997, 0, 997), second)
