"""What each command does; `__main__` only reads the arguments."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mock_mobile_client.confirm_screen import payment_lines
from mock_mobile_client.doctor import Doctor
from mock_mobile_client.documents import manifest
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, Unreachable
from mock_mobile_client.following import (
    ComponentValue,
    components,
    components_now,
    settle_watched,
)
from mock_mobile_client.handset import Level, Setting
from mock_mobile_client.inbox import receipt
from mock_mobile_client.journeys import StepReport, play
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN
from mock_mobile_client.proofs import PROOFS
from mock_mobile_client.proofs_lost_phone import proof_06
from mock_mobile_client.screen import Screen
from mock_mobile_client.stage import everyday
from mock_mobile_client.store import FileStore
from mock_mobile_client.switches import Switchboard
from mock_mobile_client.values import AccountValue, JsonObject, PaymentValue
from mock_mobile_client.watching import Watch
from mock_mobile_client.world_clock import WorldClock

DONE, REFUSED, UNREACHABLE = 0, 1, 3
LOST = 6  # the proof that asks for a second process
PARTLY = "skipped, partly"


@dataclass(frozen=True, slots=True)
class PayWish:
    """What is to be paid, as it was typed."""

    payee: str
    amount: str
    source: str | None
    key: str | None


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands of one call, with its global options.

    Attributes:
        url: The bank's public address.
        sandbox: Where SMS arrive.
        folder: Where the phones lie.
        pin: What the person types; None for the demo's own.
        screen: Where to print.
        finger: What lies on the sensor; None for the owner's.
        by_id: Whether operations go as ids instead of texts.
    """

    url: str
    sandbox: str
    folder: Path
    pin: str | None
    screen: Screen
    finger: str | None = None
    by_id: bool = False

    async def demo(self, *, as_json: bool) -> int:
        """Play the numbered scenario."""
        began = time.perf_counter()
        tell = (lambda _: None) if as_json else self._show_step
        asha, ben = self._phone("Asha-1"), self._phone("Ben-1")
        reports = await play(asha, ben, tell)
        took_s = round(time.perf_counter() - began, 1)
        passed = sum(report.error is None for report in reports)
        whole = passed == len(reports)
        if as_json:
            steps = [_step_json(report) for report in reports]
            summary = {"steps": steps, "passed": passed, "seconds": took_s}
            self.screen.json({**summary, "ok": whole})
        elif whole:
            self.screen.line(f"{passed} passed in {took_s} s")
        else:
            self.screen.line(f"{passed} passed, 1 failed in {took_s} s")
        if whole:
            return DONE
        return UNREACHABLE if isinstance(reports[-1].error, Unreachable) else REFUSED

    async def enrol(
        self, name: str, code: str | None, *, passkey: bool, biometric: bool
    ) -> int:
        """Bind a phone, set its mPIN, and further factors where wished."""
        async with self._phone(name) as phone:
            device = await phone.enrol(code, self.pin)
            rows = [
                ("phone", phone.name),
                ("device", phone.handset.device_id),
                ("key", phone.handset.key.jkt),
                ("binding", "already bound" if device is None else device.state.value),
                ("waiting", "-" if device is None else device.cooling_until or "over"),
            ]
            if passkey or biometric:
                await phone.login(pin=self.pin)
            if biometric:
                fresh = await phone.set_biometric()
                rows.append(("biometric", "key set" if fresh else "key already set"))
            if passkey:
                rows.append(("passkey", (await phone.register_passkey()).id))
            self.screen.table(rows, "<<")
        return DONE

    async def login(self, name: str, factor: FactorKind) -> int:
        """Sign in with mPIN, passkey or biometric key."""
        async with self._phone(name) as phone:
            tokens = await phone.login(factor, self.pin)
            rows = [
                ("phone", phone.name),
                ("level", "LOGIN"),
                ("factors", f"device key, {factor}"),
                ("access until", tokens.expires_at),
                ("idle until", tokens.idle_expires_at),
                ("session until", tokens.session_expires_at),
            ]
            self.screen.table(rows, "<<")
        return DONE

    async def logout(self, name: str) -> int:
        """Sign out."""
        async with self._phone(name) as phone:
            await phone.logout()
            self.screen.line(f"{phone.name} signed out; it stays bound")
        return DONE

    async def accounts(self, name: str) -> int:
        """Show all accounts and their figures."""
        async with self._phone(name) as phone:
            home = await phone.home()
            head = ("account", "number", "available", "booked", "held", "as of")
            rows = [_account_row(account) for account in home.accounts]
            self.screen.table([head, *rows], "<<>>><")
        return DONE

    async def statement(self, name: str, account: str, last: int) -> int:
        """Show the newest rows of one account."""
        async with self._phone(name) as phone:
            known = await phone.account(account)
            page = await phone.statement(known.id, last)
            head = ("when", "with", "status", "amount", "balance")
            rows = []
            for row in page.transactions:
                sign = "-" if row.direction == "OUT" else "+"
                balance = row.running_balance
                after = "" if balance is None else balance.formatted
                amount = sign + row.amount.formatted
                when = row.created_at[:19].replace("T", " ")
                rows.append((when, row.counterparty[:24], row.status, amount, after))
            self.screen.table([head, *rows], "<<<>>")
        return DONE

    async def inbox(self, name: str, first: int, *, read: bool) -> int:
        """Show what the bank told, and how far each push came; maybe mark it read."""
        async with self._phone(name) as phone:
            page = await phone.inbox.page(first)
            left = await phone.inbox.read_all(first) if read else page.unread
            for one in page.items:
                mark = " " if one.read_at else "•"
                when = one.created_at[:19].replace("T", " ")
                self.screen.line(f"{mark} {when}  {one.title}")
                self.screen.line(f"    {one.body}")
                for sent in one.deliveries:
                    self.screen.line(f"    {receipt(sent)}")
            self.screen.line(f"{left} unread")
        return DONE

    async def pay(self, name: str, wish: PayWish, approve: FactorKind) -> int:
        """Pay, show the states as they come, then the receipt."""
        async with self._phone(name) as phone:
            order = await phone.order(
                wish.payee, money(wish.amount), wish.source, wish.key
            )
            payment = await settle_watched(
                phone.payments,
                phone.handset,
                order,
                lambda state: self._show_payment(state, approve),
                approve,
            )
            left = (await phone.account(order.source.name)).balance
            if left is not None:
                text = f"{order.source.name} {left.available.formatted}"
                self.screen.line(f"{'balance':<24} {text}")
        return DONE if payment.status == "SETTLED" else REFUSED

    async def cancel(self, name: str, payment: str) -> int:
        """Stop a payment that was not approved yet, also one that is held."""
        async with self._phone(name) as phone:
            stopped = await phone.payments.cancel(payment)
            self._show_payment(stopped, FactorKind.MPIN)
        return DONE

    async def watch(self, name: str, after: str | None, for_s: float | None) -> int:
        """Print stream and pushes until the stream ends, or for some seconds."""
        ahead_s = await WorldClock(self.sandbox).offset_s()
        async with self._phone(name, ahead_s) as phone:
            await everyday(phone)  # a stored session that ended is renewed here
            watch = Watch(phone, self._switches(phone), self.screen.line)
            closed = await watch.run(after, for_s)
        if closed is None:
            return DONE
        self.screen.failed(str(closed))
        return REFUSED

    async def sleep(self, name: str, *, asleep: bool) -> int:
        """Send a watched phone to the background, or bring it back."""
        async with self._phone(name) as phone:
            self._switches(phone).turn(asleep=asleep)
            does = "sleeps: no socket, pushes still come" if asleep else "is awake"
            self.screen.line(f"{phone.name} {does}")
        return DONE

    async def airplane(self, name: str, *, on: bool) -> int:
        """Cut a phone off from everything, or let it back."""
        async with self._phone(name) as phone:
            self._switches(phone).turn(airplane=on)
            does = "is in airplane mode" if on else "is back on the network"
            self.screen.line(f"{phone.name} {does}")
        return DONE

    async def query(
        self, name: str, text: str, variables: JsonObject, level: Level
    ) -> int:
        """Send any document, signed, and print what comes back."""
        async with self._phone(name) as phone:
            if level is Level.LOGIN and phone.handset.state.token is None:
                await phone.login(pin=self.pin)
            reply = await phone.ask(text, variables, level)
        answer: JsonObject = {"data": reply.data}
        if reply.errors:
            answer["errors"] = list(reply.errors)
        self.screen.json(answer)
        return REFUSED if reply.errors else DONE

    async def proof(self, number: int, second: str | None = None) -> int:
        """Run one of the proofs of acceptance.md; steps it lacks something for show.

        Args:
            number: Which.
            second: Address of another web process; only proof 6 asks for one.
        """
        if number not in PROOFS:
            known = ", ".join(str(one) for one in PROOFS)
            raise BadEntry(f"this build has the proofs {known}")
        told: list[str] = []

        def tell(line: str) -> None:
            told.append(line)
            self.screen.passed(line)

        setting = Setting(
            store=FileStore(self.folder), iterations=ITERATIONS_MIN, by_id=self.by_id
        )
        run = partial(proof_06, second=second) if number == LOST else PROOFS[number]
        await run(self.url, self.sandbox, setting, tell)
        partly = " partly" if any(PARTLY in line for line in told) else ""
        self.screen.line(f"proof {number} holds{partly}")
        return DONE

    async def manifest(self) -> int:
        """Print the list of what this app ships."""
        self.screen.json(manifest())
        return DONE

    async def doctor(self) -> int:
        """Check a deployment."""
        findings = await Doctor(self.url, self.sandbox).examine()
        for finding in findings:
            text = f"{finding.name:<24} {finding.seen}"
            if finding.good:
                self.screen.passed(text)
            else:
                self.screen.failed(f"{text}\n    fix: {finding.fix}")
        return DONE if all(finding.good for finding in findings) else REFUSED

    def _phone(self, name: str, ahead_s: float = 0.0) -> Phone:
        """A phone from the store; demo phones mask with few rounds, to be quick."""
        setting = Setting(
            store=FileStore(self.folder),
            iterations=ITERATIONS_MIN,
            clock=lambda: time.time() + ahead_s,
            by_id=self.by_id,
        )
        phone = Phone(name, self.url, self.sandbox, setting)
        phone.handset.api.offline = self._switches(phone).read().airplane
        if self.pin is not None:
            phone.session.pin = self.pin
        if self.finger is not None:
            phone.session.finger = self.finger
        return phone

    def _switches(self, phone: Phone) -> Switchboard:
        return Switchboard(FileStore(self.folder), self.url, phone.name)

    async def status(self, name: str, *, watch: bool, for_s: float | None) -> int:
        """Show how the bank is; with `watch` also what changes, signed in or not."""
        async with self._phone(name) as phone:
            if not watch:
                for one in await components_now(phone.handset):
                    self._show_component(one)
                return DONE
            try:
                async with (
                    asyncio.timeout(for_s),
                    aclosing(components(phone.handset)) as changes,
                ):
                    async for one in changes:
                        self._show_component(one)
            except TimeoutError:
                return DONE
        return REFUSED

    def _show_component(self, one: ComponentValue) -> None:
        since = one.since[:19].replace("T", " ")
        self.screen.line(f"{one.name:<16} {one.state:<16} since {since}")

    def _show_payment(self, payment: PaymentValue, approve: FactorKind) -> None:
        """One state of a payment, and what the person is asked for."""
        for text in payment_lines(payment, approve):
            self.screen.line(text)

    def _show_step(self, report: StepReport) -> None:
        text = f"{report.number:>2} {report.title:<51} {report.took_ms:>5} ms"
        if report.error is None:
            self.screen.passed(text)
            self.screen.line(f"     {report.note}")
        else:
            self.screen.failed(f"{text}\n     {sentence(report.error)}")


def sentence(error: Exception) -> str:
    """One line about what went wrong, with the request id where there is one."""
    request_id = getattr(error, "request_id", None)
    code = getattr(error, "code", None)
    left = getattr(error, "attempts_left", None)
    parts = [f"{code}: {error.message}" if hasattr(error, "message") else str(error)]
    if left is not None:
        parts.append(f"{left} attempts left on this phone")
    if request_id is not None:
        parts.append(f"request {request_id}")
        parts.append(f"docs/errors.md#{str(code).lower()}")
    return "  ".join(parts)


def _account_row(account: AccountValue) -> tuple[str, ...]:
    """One account as a row; the mark `stale` when the core did not answer."""
    balance = account.balance
    if balance is None:
        return (account.name, account.masked_number, "-", "-", "-", "never")
    as_of = balance.as_of[11:19] + (" stale" if balance.stale else "")
    figures = (balance.available, balance.booked, balance.held)
    texts = tuple(figure.formatted for figure in figures)
    return (account.name, account.masked_number, *texts, as_of)


def _step_json(report: StepReport) -> JsonObject:
    """A step for scripts."""
    error = None if report.error is None else sentence(report.error)
    return {
        "number": report.number,
        "title": report.title,
        "ms": report.took_ms,
        "note": report.note,
        "error": error,
    }
