"""Phone: the importable face of the mock mobile client (experience.md §5.3).

```python
async with Phone("asha", url) as phone:
    await phone.enrol(code="7Q2M-K9XT-4HWA", mpin="480257")
    await phone.login(FactorKind.MPIN)
    async with phone.live() as live:
        paid = await phone.pay("ben", money("250.00 INR"))
        shown = await live.balance("Everyday")
```
"""

from collections.abc import Callable
from typing import Self

from mock_mobile_client import biometric, enrolment, mpin
from mock_mobile_client.api import Reply, encode
from mock_mobile_client.drawer import Drawer
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotReady, NotSeen, Refused
from mock_mobile_client.factors import require_held
from mock_mobile_client.handset import Handset, Level, Setting
from mock_mobile_client.inbox import BankInbox
from mock_mobile_client.live import Live
from mock_mobile_client.money import MoneyValue
from mock_mobile_client.notifications import Inbox
from mock_mobile_client.passkeys import held, register
from mock_mobile_client.payments import Order, Payments, new_key
from mock_mobile_client.people import Person, person
from mock_mobile_client.session import Session
from mock_mobile_client.stream import Picture
from mock_mobile_client.values import (
    AccountValue,
    BeneficiaryValue,
    DeviceValue,
    HomeValue,
    JsonObject,
    PasskeyValue,
    PaymentValue,
    TokenValue,
)

URL = "http://localhost:8000"
SANDBOX = "http://127.0.0.1:8001"
EVERYDAY = "Everyday"


class Phone:
    """One phone of one demo customer; `asha` and `Asha-1` are the same phone.

    Attributes:
        name: As the customer calls the phone; its name in the store too.
        owner: The person who holds it.
        handset: State, key and line.
        session: Sign-in and approvals.
        payments: Create, approve, lose and repeat.
        drawer: Its notifications; it listens once it was opened.
        inbox: What the bank told the customer, kept.
    """

    def __init__(
        self,
        name: str,
        url: str = URL,
        sandbox: str = SANDBOX,
        setting: Setting | None = None,
        owner: Person | None = None,
    ) -> None:
        self.owner: Person = owner or person(name)
        number = name.partition("-")[2] or "1"
        self.name = f"{self.owner.name}-{number}"
        self.sandbox = sandbox
        self._switch_on(url, setting or Setting())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the program; the phone stays in its store."""
        await self.drawer.close()
        await self.handset.close()

    async def restart(self) -> None:
        """End the program and start it anew: only what is in the store is left."""
        await self.close()
        self._switch_on(self.handset.bank, self.handset.setting)

    def _switch_on(self, url: str, setting: Setting) -> None:
        """Start from the store."""
        self.handset = Handset(self.name, url, setting)
        self.session = Session(self.handset, self.owner.pin, self.owner.finger)
        self.payments = Payments(self.session)
        self.drawer = Drawer(self.handset, self.sandbox, self.owner.platform)
        self.inbox = BankInbox(self.session)
        self._live: Live | None = None
        self._heard = self._watched = False

    async def enrol(
        self, code: str | None = None, mpin: str | None = None
    ) -> DeviceValue | None:
        """Bind this phone and set its mPIN; None where both stood already.

        Raises:
            Refused: a wrong code, or TOO_MANY_DEVICES.
            BadEntry: a weak mPIN.
        """
        device = await self.bind(code)
        await self.set_mpin(mpin)
        return device

    async def start(self) -> None:
        """Come up as an app does: enrol if the bank forgot this phone, sign in.

        A locked phone enrols again and takes its own place.
        """
        await self.enrol()
        try:
            await self.login()
        except Refused as refused:
            if refused.code != "DEVICE_LOCKED":
                raise
            await self.bind_anew()
            await self.set_mpin()
            await self.login()

    async def bind(self, code: str | None = None) -> DeviceValue | None:
        """Bind this phone by activation code and SMS; None if it is bound already."""
        if await enrolment.is_bound(self.handset):
            return None
        return await self.bind_anew({"activationCode": code or self.owner.code})

    async def bind_anew(
        self,
        proof: JsonObject | None = None,
        gone: frozenset[str] = frozenset(),
        *,
        code_first: bool = False,
    ) -> DeviceValue:
        """Bind this phone with a new key, in its own former place if it had one.

        Args:
            proof: One member of IdentityProofInput; the activation code if None.
            gone: Names of further phones whose place it takes.
            code_first: Show the activation code before the SMS.
        """
        inbox = Inbox(self.sandbox, self.owner.phone)
        shown = proof or {"activationCode": self.owner.code}
        return await enrolment.bind(
            self.handset, self.owner, inbox, shown, gone, code_first=code_first
        )

    async def set_mpin(self, pin: str | None = None) -> bool:
        """Set the first mPIN; False if there is one already."""
        if self.handset.state.blob is not None:
            return False
        chosen = pin or self.session.pin or self.owner.pin
        await enrolment.set_mpin(self.handset, self.owner.platform, chosen)
        self.session.pin = chosen
        return True

    async def change_mpin(self, pin: str, factor: FactorKind = FactorKind.MPIN) -> None:
        """Choose another mPIN, approved by what the person still has."""
        await mpin.change(self.session, self.owner.platform, pin, factor)

    async def login(
        self, factor: FactorKind = FactorKind.MPIN, pin: str | None = None
    ) -> TokenValue:
        """Sign in; `pin` is what the person types this time.

        Raises:
            BadEntry: this phone has no such factor.
        """
        require_held(self.handset, factor)
        return await self.session.login(pin, factor)

    async def register_passkey(self) -> PasskeyValue:
        """Register a passkey by step-up; the one this phone has serves again."""
        return await held(self.session) or await register(self.session)

    async def set_biometric(self) -> bool:
        """Set the biometric key by step-up; False if this phone has one already."""
        if biometric.is_set(self.session):
            return False
        await biometric.register(self.session)
        return True

    async def logout(self) -> None:
        """Sign out; the phone stays bound."""
        await self.session.logout()

    async def home(self) -> HomeValue:
        """The home screen in one query."""
        return HomeValue.read(await self.session.call("home", {}))

    async def account(self, name: str) -> AccountValue:
        """One own account by its name, any case.

        Raises:
            BadEntry: there is none.
        """
        accounts = (await self.home()).accounts
        for one in accounts:
            if one.name.casefold() == name.casefold():
                return one
        known = ", ".join(one.name for one in accounts)
        raise BadEntry(f"no account is called {name!r}; there are {known}")

    async def statement(self, account_id: str, last: int) -> AccountValue:
        """One account with its newest rows."""
        asked = {"id": account_id, "first": last}
        answer = await self.session.call("statement", asked)
        if not answer:
            raise NotSeen(f"the bank knows no account {account_id}")
        return AccountValue.read(answer)

    async def account_number(self, name: str) -> str:
        """The full number of an own account, to be given to a payer."""
        answer = await self.session.call("account_numbers", {})
        for row in answer["accounts"]:
            if row["name"].casefold() == name.casefold() and row["number"]:
                return str(row["number"])
        raise BadEntry(f"the bank tells no number of an account {name!r}")

    async def payees(self) -> list[BeneficiaryValue]:
        """The saved payees, newest first."""
        found = (await self.session.call("beneficiaries", {}))["beneficiaries"]
        return [BeneficiaryValue.read(row) for row in found["nodes"]]

    async def payee(self, nickname: str) -> BeneficiaryValue | None:
        """A saved payee by nickname, any case."""
        for one in await self.payees():
            if one.nickname.casefold() == nickname.casefold():
                return one
        return None

    async def save_payee(
        self, nickname: str, name: str, account_number: str
    ) -> BeneficiaryValue:
        """Save a payee of this bank, approved by step-up with the mPIN."""
        given: JsonObject = {
            "idempotencyKey": new_key(),
            "nickname": nickname,
            "name": name,
            "payee": {"account": {"accountNumber": account_number}},
            "riskAcknowledged": False,
        }
        saved = await self.session.step_up(
            "beneficiary_create", "beneficiaryCreate", given
        )
        return BeneficiaryValue.read(saved["beneficiary"])

    async def order(
        self,
        payee: str,
        amount: MoneyValue,
        source: str | None = None,
        key: str | None = None,
    ) -> Order:
        """Fill in the confirm screen: own account or saved payee, by name.

        Without `source` the money leaves the first account.
        """
        home = await self.home()
        own = {one.name.casefold(): one for one in home.accounts}
        saved = {one.nickname.casefold(): one for one in await self.payees()}
        from_account = own.get(source.casefold()) if source else home.accounts[0]
        target = own.get(payee.casefold()) or saved.get(payee.casefold())
        if from_account is None or target is None:
            known = ", ".join([*own, *saved])
            raise BadEntry(f"neither account nor payee; known are {known}")
        exponent = amount.exponent
        if from_account.balance is not None:
            exponent = from_account.balance.available.exponent
        return Order(from_account, target, amount.at(exponent), key or new_key())

    async def pay(
        self,
        payee: str,
        amount: MoneyValue,
        approve: FactorKind = FactorKind.MPIN,
        source: str | None = None,
    ) -> PaymentValue:
        """Pay and wait for the end; the person approves amount and payee."""
        order = await self.order(payee, amount, source)
        return await self.payments.settle(order, approve)

    def live(
        self,
        after: str | None = None,
        *,
        resume: bool = True,
        listener: Callable[[str], None] | None = None,
    ) -> Live:
        """The live stream, from `after` or from now on; open it with `async with`."""
        picture = Picture(cursor=after)
        self._live = Live(self, picture, resume=resume, listener=listener)
        return self._live

    def live_again(self, listener: Callable[[str], None] | None = None) -> Live:
        """The live stream from where this phone left off, as its store has it."""
        state = self.handset.state
        picture = Picture.stored(state.cursor, state.shown)
        self._live = Live(self, picture, listener=listener)
        return self._live

    async def sleep(self) -> None:
        """Go to the background: the socket closes, pushes still come."""
        await self._stream().sleep()

    async def wake(self) -> None:
        """Come to the foreground: tell the push address again, resume the stream."""
        if self.drawer.is_open:
            await self.drawer.register()
        await self._stream().wake()

    async def airplane(self, *, on: bool) -> None:
        """Cut everything at once, without a word to anybody; or be back."""
        live, was = self._live, self.handset.api.offline
        self.handset.api.offline = on
        if on is was:
            return
        if on:
            self._heard = self.drawer.is_open
            self._watched = live is not None and live.is_awake
            await self.drawer.close()
            if live is not None and live.is_awake:
                await live.cut(stay_away=True)
            return
        if self._heard:
            self.drawer.listen()
        if live is not None and self._watched:
            await live.wake()

    def _stream(self) -> Live:
        if self._live is None:
            raise NotReady(f"{self.name} has no live stream: open it first")
        return self._live

    async def ask(self, text: str, variables: JsonObject, level: Level) -> Reply:
        """Send any document, signed as the level says."""
        body = encode(text, variables)
        return await self.handset.api.send(body, self.handset.credentials(level))

    @property
    def socket_url(self) -> str:
        """The socket form of the public address, which its proof names."""
        return self.handset.socket_url

    @property
    def socket_door(self) -> str:
        """See `live.Line`."""
        return self.handset.socket_door

    @property
    def by_id(self) -> bool:
        """See `live.Line`."""
        return self.handset.api.by_id

    def init_payload(self) -> JsonObject:
        """See `live.Line`."""
        return self.handset.init_payload()

    def token_in_use(self) -> str:
        """See `live.Line`."""
        return self.handset.token

    async def freshen(self) -> None:
        """See `live.Line`."""
        await self.session.freshen()

    async def renew(self, used: str) -> None:
        """See `live.Line`."""
        await self.session.renew(used)

    def now(self) -> float:
        """See `live.Line`."""
        return self.handset.setting.clock()

    def applied(self, cursor: str, shown: JsonObject) -> None:
        """See `live.Line`: the cursor lies with the phone, and what it led to."""
        self.handset.keep(cursor=cursor, shown=shown)


async def introduce(payer: Phone, payee: Phone) -> tuple[BeneficiaryValue, bool]:
    """Make one customer a saved payee of another; False if it was saved already.

    The payee's own phone shows the account number; the payer types it.
    """
    known = await payer.payee(payee.owner.name)
    if known is not None:
        return known, False
    number = await payee.account_number(EVERYDAY)
    name = (await payee.home()).display_name
    return await payer.save_payee(payee.owner.name, name, number), True
