"""The commands about phones, factors beside the mPIN, and thieves."""

from dataclasses import dataclass

from mock_mobile_client import (
    biometric,
    devices,
    fingers,
    limits,
    passkeys,
    totp,
    vouching,
)
from mock_mobile_client.commands import DONE, REFUSED
from mock_mobile_client.commands_wishes import WishCommands
from mock_mobile_client.enums import DeviceState, FactorKind
from mock_mobile_client.errors import BadEntry
from mock_mobile_client.money import money
from mock_mobile_client.thief import Thief
from mock_mobile_client.values import DeviceRow, JsonObject
from mock_mobile_client.world_clock import WorldClock


@dataclass(frozen=True, slots=True)
class AllCommands(WishCommands):
    """Every command of the phone."""

    async def devices(self, name: str, renamed: tuple[str, str] | None) -> int:
        """Show the customer's phones, or call one of them otherwise."""
        async with self._phone(name) as phone:
            if renamed is not None:
                row = await devices.find(phone.session, renamed[0])
                await devices.rename(phone.session, row.id, renamed[1])
            rows = await devices.listed(phone.session)
            head = ("phone", "model", "state", "waiting until", "push", "id")
            self.screen.table([head, *(_cells(row) for row in rows)], "<<<<<<")
        return DONE

    async def change(self, name: str, what: str, target: str) -> int:
        """Revoke, lock or unlock another phone; the mPIN approves it."""
        acts = {
            "revoke": devices.revoke,
            "lock": devices.lock,
            "unlock": devices.unlock,
        }
        async with self._phone(name) as phone:
            row = await devices.find(phone.session, target)
            changed = await acts[what](phone.session, row.id)
            self.screen.line(f"{changed.name}  {row.state} → {changed.state}")
        return DONE

    async def revoke_others(self, name: str) -> int:
        """End every other phone of the customer."""
        async with self._phone(name) as phone:
            gone = await devices.revoke_others(phone.session)
            for row in gone:
                self.screen.line(f"{row.name}  {row.state}")
            self.screen.line(f"{len(gone)} revoked; {phone.name} stays")
        return DONE

    async def forget(self, name: str) -> int:
        """Let the bank forget this phone and erase its keys."""
        async with self._phone(name) as phone:
            await devices.forget(phone.handset)
            self.screen.line(f"{phone.name} is forgotten; its keys are erased")
        return DONE

    async def panic(self, name: str) -> int:
        """Stop everything of this customer."""
        async with self._phone(name) as phone:
            seen = await devices.panic(phone.handset)
            rows = [
                ("locked at", seen.locked_at),
                ("sessions ended", str(seen.sessions)),
                ("phones locked", str(seen.devices)),
                ("payments cancelled", str(seen.payments)),
                ("way back", f"enrol {phone.name} again"),
            ]
            self.screen.table(rows, "<<")
        return DONE

    async def change_mpin(self, name: str, pin: str, factor: FactorKind) -> int:
        """Choose another mPIN, approved by what the person still has."""
        async with self._phone(name) as phone:
            await phone.login(factor, self.pin)
            await phone.change_mpin(pin, factor)
            self.screen.line(f"{phone.name} has another mPIN")
        return DONE

    async def limits(self, name: str, choice: tuple[str, str] | None) -> int:
        """Show what the customer may pay from this phone, or set a limit."""
        async with self._phone(name) as phone:
            if choice is not None:
                window, amount = choice
                _, since = await limits.choose(phone.session, window, money(amount))
                self.screen.line(f"counts from {since}")
            allowed = await limits.listed(phone.session)
            head = ("limit", "at most", "used", "left", "resets at", "waiting")
            rows = [
                (
                    *(one.name, one.max.formatted, one.used.formatted),
                    *(one.remaining.formatted, one.resets_at or "-"),
                    one.pending.formatted if one.pending else "-",
                )
                for one in allowed.limits
            ]
            self.screen.table([head, *rows], "<>>><>")
            for payee, most in allowed.new_payees.items():
                self.screen.line(f"{payee} is new: {most.formatted} for now")
        return DONE

    async def passkeys(self, name: str, removed: str | None) -> int:
        """Show the customer's passkeys, or take the one of this label back."""
        async with self._phone(name) as phone:
            known = await passkeys.listed(phone.session)
            if removed is not None:
                gone = [one for one in known if one.label == removed]
                if not gone:
                    labels = ", ".join(one.label for one in known) or "none"
                    raise BadEntry(f"no passkey is called {removed!r}; known: {labels}")
                await passkeys.remove(phone.session, gone[0].id)
                known.remove(gone[0])
            rows = [(one.label, "yes" if one.backed_up else "no") for one in known]
            self.screen.table([("passkey", "synced"), *rows], "<<")
        return DONE

    async def biometric(self, name: str, *, on: bool) -> int:
        """Set the biometric key of a phone, or remove it; the mPIN approves."""
        async with self._phone(name) as phone:
            if on:
                fresh = await phone.set_biometric()
                already = "" if fresh else " already"
                self.screen.line(f"{phone.name} has a biometric key{already}")
            else:
                await biometric.remove(phone.session)
                self.screen.line(f"{phone.name} has no biometric key any more")
        return DONE

    async def add_finger(self, name: str, finger: str) -> int:
        """Let the sensor of a phone know one more finger; asks no bank."""
        async with self._phone(name) as phone:
            gone = fingers.add(phone.handset, finger)
            text = "the biometric key is destroyed" if gone else "no key was there"
            self.screen.line(f"{phone.name} knows {finger}; {text}")
        return DONE

    async def totp(self, name: str, act: str) -> int:
        """Be the customer's authenticator app: enrol, show a code, remove."""
        ahead_s = await WorldClock(self.sandbox).offset_s()
        async with self._phone(name, ahead_s) as phone:
            if act == "enrol":
                codes = await totp.enrol(phone.session)
                self._write(phone.owner.name, codes)
                self.screen.line(f"{phone.name} is the authenticator")
            elif act == "remove":
                await totp.remove(phone.session)
                self.screen.line(f"{phone.name} is no authenticator any more")
            else:
                self.screen.line(totp.show(phone.handset))
        return DONE

    async def recovery(self, name: str, *, renew: bool) -> int:
        """Count the codes on paper, or get ten new ones."""
        async with self._phone(name) as phone:
            paper = totp.Paper(self.folder, phone.owner.name)
            if renew:
                self._write(phone.owner.name, await totp.regenerate(phone.session))
            self.screen.line(f"{len(paper.read())} codes in {paper.place}")
        return DONE

    async def come_back(
        self,
        name: str,
        proof: str,
        gone: frozenset[str],
        code: str | None = None,
        *,
        code_first: bool = False,
    ) -> int:
        """Enrol by what is left: authenticator, a code on paper, another phone."""
        ahead_s = await WorldClock(self.sandbox).offset_s()
        async with self._phone(name, ahead_s) as phone:
            paper = totp.Paper(self.folder, phone.owner.name)
            if proof == "totp":
                shown: JsonObject = {"totp": totp.show(phone.handset)}
            elif proof == "recovery":
                shown = {"recoveryCode": _first(paper.read())}
            elif proof == "phone":
                shown = {"otherDevice": True}
            else:
                shown = {"activationCode": code or phone.owner.code}
            device = await phone.bind_anew(shown, gone, code_first=code_first)
            if "recoveryCode" in shown:
                paper.strike(shown["recoveryCode"])
            await phone.set_mpin(self.pin)
            until = device.cooling_until or "over"
            self.screen.line(f"{phone.name} is bound, {device.state} until {until}")
        return DONE

    async def approve(self, name: str, for_s: float, *, yes: bool) -> int:
        """Show the phone that asks to be let in, and answer it."""
        ahead_s = await WorldClock(self.sandbox).offset_s()
        async with self._phone(name, ahead_s) as phone:
            asked = await vouching.waiting(phone.handset, for_s)
            rows = [
                ("phone", asked.name),
                ("model", asked.model or "-"),
                ("platform", asked.platform),
                ("asks from", asked.address or "-"),
                ("since", asked.asked_at),
            ]
            self.screen.table(rows, "<<")
            await phone.login(pin=self.pin)
            if yes:
                await vouching.approve(phone.session, asked)
            else:
                await vouching.refuse(phone.session, asked)
            self.screen.line(f"{asked.name} is {'let in' if yes else 'refused'}")
        return DONE

    async def thief(self, name: str) -> int:
        """Rob a phone of all that can be copied, and try what it is good for."""
        async with self._phone(name) as phone:
            await phone.login(pin=self.pin)
            thief = Thief(phone)
            try:
                attempts = await thief.rob()
            finally:
                await thief.close()
            await phone.home()
        for one in attempts:
            if one.refusal is None:
                self.screen.failed(f"{one.title:<48} SUCCEEDED")
            else:
                self.screen.passed(f"{one.title:<48} {one.refusal}")
        succeeded = sum(one.refusal is None for one in attempts)
        self.screen.line(f"{len(attempts)} tried, {succeeded} succeeded")
        return REFUSED if succeeded else DONE

    def _write(self, owner: str, codes: tuple[str, ...]) -> None:
        """Write recovery codes down; the screen shows where, not what."""
        paper = totp.Paper(self.folder, owner)
        paper.write(codes)
        self.screen.line(f"{len(codes)} recovery codes written to {paper.place}")


def _first(codes: tuple[str, ...]) -> str:
    if not codes:
        raise BadEntry("every recovery code on the paper is struck out")
    return codes[0]


def _cells(row: DeviceRow) -> tuple[str, ...]:
    """One phone as a row."""
    waiting = row.cooling_until if row.state is DeviceState.COOLING else None
    name = f"{row.name} (this one)" if row.is_current else row.name
    push = "yes" if row.push_enabled else "no"
    return (name, row.model or "-", row.state, waiting or "-", push, row.id)
