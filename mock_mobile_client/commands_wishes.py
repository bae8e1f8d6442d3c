"""What `notify`, `quick` and `account` do."""

from dataclasses import dataclass

from mock_mobile_client import wishes
from mock_mobile_client.commands import DONE
from mock_mobile_client.commands_abroad import AbroadCommands
from mock_mobile_client.money import money
from mock_mobile_client.values import JsonObject


@dataclass(frozen=True, slots=True)
class WishCommands(AbroadCommands):
    """The commands about what is told, and shown before sign-in."""

    async def notify(self, name: str, given: JsonObject) -> int:
        """Show what the customer is told, or change it first.

        Args:
            name: Which phone.
            given: What is to change, as the contract's input has it.
        """
        async with self._phone(name) as phone:
            if given:
                await wishes.choose(phone.session, given)
            found = await wishes.settings(phone.session)
            rows = [
                (
                    one.category,
                    " ".join(one.channels) or "-",
                    one.threshold.formatted if one.threshold else "-",
                    "always" if one.mandatory else "",
                )
                for one in found.preferences
            ]
            self.screen.table([("about", "told by", "from", ""), *rows], "<<><")
            quiet = "-".join(found.quiet) if found.quiet else "none"
            amounts = "hidden" if found.hides_amounts else "shown"
            self.screen.line(f"quiet hours {quiet}, amounts in pushes {amounts}")
        return DONE

    async def quick(self, name: str, allowed: list[str] | None) -> int:
        """Show what this phone may show before sign-in, or choose the accounts."""
        async with self._phone(name) as phone:
            if allowed is not None:
                ids = [(await phone.account(one)).id for one in allowed if one]
                await wishes.show_quickly(phone.session, ids)
            found = await wishes.quick(phone.handset)
            for one in found:
                stale = " (last known)" if one.stale else ""
                self.screen.line(f"{one.name}  {one.available.formatted}{stale}")
            if not found:
                self.screen.line("this phone shows no balance before sign-in")
        return DONE

    async def account(
        self, name: str, target: str, nickname: str | None, low: str | None
    ) -> int:
        """Give an account another name, or an alert; an empty text takes it away."""
        async with self._phone(name) as phone:
            found = await phone.account(target)
            if nickname is not None:
                called = await wishes.call_account(
                    phone.session, found.id, nickname or None
                )
                self.screen.line(f"{found.name} is called {called or found.name}")
            if low is not None:
                amount = money(low).at(2) if low else None
                kept = await wishes.warn_below(phone.session, found.id, amount)
                told = f"told below {kept.formatted}" if kept else "no alert"
                self.screen.line(f"{found.name}: {told}")
        return DONE
