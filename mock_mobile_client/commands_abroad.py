"""What `beneficiary who`, `beneficiary add` and `quote` do."""

from dataclasses import dataclass

from mock_mobile_client import abroad
from mock_mobile_client.commands import DONE, REFUSED, Commands
from mock_mobile_client.money import money


@dataclass(frozen=True, slots=True)
class AbroadCommands(Commands):
    """The commands about who is paid, and what that would cost."""

    async def who(self, name: str, number: str, bank: str | None) -> int:
        """Show who is behind an account, as its bank lets it be shown."""
        async with self._phone(name) as phone:
            found = await abroad.resolve(phone.session, number, bank)
            at = f" at {found.bank_name}" if found.bank_name else ""
            self.screen.line(f"{found.name}{at}, by {' or '.join(found.rails)}")
        return DONE

    async def save_payee(
        self,
        name: str,
        wish: tuple[str, str],
        account: tuple[str, str | None],
        *,
        acknowledged: bool,
    ) -> int:
        """Save a payee by step-up.

        Args:
            name: Which phone.
            wish: How the list shows the payee, and the holder's name.
            account: Number, and code of its bank; None: of this one.
            acknowledged: The person saw that the account has another name.
        """
        async with self._phone(name) as phone:
            saved = await abroad.save(
                phone.session, *wish, account, acknowledged=acknowledged
            )
            self.screen.line(f"saved {saved.nickname}: {saved.name}, {saved.id}")
        return DONE

    async def quote(
        self, name: str, payee: str, amount: str, source: str | None
    ) -> int:
        """Show what a payment would cost, and what stands in its way."""
        async with self._phone(name) as phone:
            order = await phone.order(payee, money(amount), source)
            found = await abroad.quote(phone.session, order)
        rows = (
            ("total", f"{found.total.formatted}, fee {found.fee.formatted}"),
            ("rail", found.rail),
            ("name check", found.match or "-"),
            ("approved by", " or ".join(found.allowed) or "a person of the bank"),
            ("in the way", " ".join(found.blockers) or "-"),
        )
        for title, text in rows:
            self.screen.line(f"{title:<24} {text}")
        return REFUSED if found.blockers else DONE
