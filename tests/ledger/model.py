"""The book told again with dictionaries, for the property test to compare with."""

from dataclasses import dataclass, field

from app.ledger.posting import No, State

STEPS = 30


@dataclass
class ModelAccount:
    """What the model remembers of one account, in minor units."""

    floor: int | None
    booked: int = 0
    held: int = 0
    version: int = 0
    state: State = State.OPEN


@dataclass
class ModelHold:
    """A hold of the model; `open` until it is resolved."""

    account: int
    amount: int
    open: bool = True


@dataclass
class Model:
    """Accounts, holds and what can be undone: sides and amount of each journal."""

    accounts: list[ModelAccount]
    holds: list[ModelHold] = field(default_factory=list)
    journals: list[tuple[int | None, int | None, int]] = field(default_factory=list)
    undone: set[int] = field(default_factory=set)

    def move(self, payer: int | None, payee: int | None, amount: int) -> No | None:
        """Move booked money; None is a house account, which has no rules."""
        said = self._debit_refused(payer, amount) or self._credit_refused(payee)
        if said is None:
            self._book(payer, -amount)
            self._book(payee, amount)
        return said

    def transfer(self, payer: int, payee: int, amount: int) -> No | None:
        if payer == payee:
            return No.VALIDATION
        return self._journalled(payer, payee, amount)

    def deposit(self, payee: int, amount: int) -> No | None:
        return self._journalled(None, payee, amount)

    def hold(self, payer: int, amount: int) -> No | None:
        said = self._debit_refused(payer, amount)
        if said is None:
            account = self.accounts[payer]
            account.held += amount
            account.version += 1
            self.holds.append(ModelHold(payer, amount))
        return said

    def resolve(self, number: int, taken: int) -> No | None:
        """Capture `taken` of a hold; 0 is a release."""
        hold = self.holds[number]
        if not hold.open or taken > hold.amount:
            return No.VALIDATION
        account = self.accounts[hold.account]
        hold.open = False
        account.held -= hold.amount
        account.booked -= taken
        account.version += 1
        if taken:
            self.journals.append((hold.account, None, taken))
        return None

    def reverse(self, number: int) -> No | None:
        if number in self.undone:
            return No.VALIDATION
        payer, payee, amount = self.journals[number]
        said = self.move(payee, payer, amount)
        if said is None:
            self.undone.add(number)
        return said

    def set_state(self, number: int, state: State) -> No | None:
        account = self.accounts[number]
        if account.state is State.CLOSED:
            return No.ACCOUNT_CLOSED
        if state is State.CLOSED and (account.booked or account.held):
            return No.VALIDATION
        account.state = state
        return None

    def _journalled(
        self, payer: int | None, payee: int | None, amount: int
    ) -> No | None:
        said = self.move(payer, payee, amount)
        if said is None:
            self.journals.append((payer, payee, amount))
        return said

    def _debit_refused(self, number: int | None, amount: int) -> No | None:
        if number is None:
            return None
        account = self.accounts[number]
        if account.state is State.CLOSED:
            return No.ACCOUNT_CLOSED
        if account.state in {State.BLOCKED, State.BLOCK_DEBIT}:
            return No.ACCOUNT_BLOCKED
        floor = account.floor or 0
        if account.booked - account.held - amount < floor:
            return No.INSUFFICIENT_FUNDS
        return None

    def _credit_refused(self, number: int | None) -> No | None:
        if number is None:
            return None
        state = self.accounts[number].state
        if state is State.CLOSED:
            return No.ACCOUNT_CLOSED
        stopped = state in {State.BLOCKED, State.BLOCK_CREDIT}
        return No.ACCOUNT_BLOCKED if stopped else None

    def _book(self, number: int | None, amount: int) -> None:
        if number is not None:
            self.accounts[number].booked += amount
            self.accounts[number].version += 1
