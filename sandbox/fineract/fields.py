"""Fields of a command's body, read as the server reads them; what is wrong is kept."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal

from sandbox.fineract.refusals import Reason, invalid, not_json
from sandbox.fineract.wire import a_date, an_amount, read

TEXT_MAX = 200


class Fields:
    """The body of one command.

    Args:
        body: as JSON gave it.
        place: how the codes of wrong fields begin.

    Attributes:
        wrong: what was found wrong so far.
    """

    def __init__(self, body: dict[str, object], place: str) -> None:
        self._body = body
        self._place = place
        self.wrong: list[Reason] = []

    @classmethod
    def read(cls, body: bytes, place: str) -> "Fields":
        """Read a body; none at all is an empty object.

        Raises:
            Refusal: 400, it is no JSON object.
        """
        try:
            found = read(body or b"{}")
        except ValueError:
            raise not_json() from None
        if not isinstance(found, dict):
            raise not_json()
        return cls(found, place)

    def only(self, known: Collection[str]) -> None:
        """Refuse names that the command does not take.

        Raises:
            Refusal: 400, naming them.
        """
        strange = [name for name in self._body if name not in known]
        if strange:
            raise invalid(
                *(
                    Reason(
                        "error.msg.parameter.unsupported",
                        f"The parameter {name} is not supported.",
                        name,
                        (name,),
                    )
                    for name in strange
                )
            )

    def text(self, name: str) -> str | None:
        """Give a text or a number as text; None if there is none."""
        found = self._body.get(name)
        return None if found is None or isinstance(found, dict | list) else str(found)

    def inside(self, name: str) -> "Fields":
        """Give an object inside, empty if there is none."""
        found = self._body.get(name)
        inner = found if isinstance(found, dict) else {}
        if not isinstance(found, dict):
            self.fail(name, "cannot.be.blank")
        return Fields(inner, f"{self._place}.{name}")

    def filled(self, name: str, most: int = TEXT_MAX) -> str:
        """Give a text that must be there and not be too long."""
        found = (self.text(name) or "").strip()
        if not found:
            self.fail(name, "cannot.be.blank")
        if len(found) > most:
            self.fail(name, "exceeds.max.length")
        return found

    def one_of(self, name: str, known: Collection[str]) -> str:
        """Give a text that must be one of a few."""
        found = self.filled(name)
        if found and found not in known:
            self.fail(name, "is.not.one.of.expected.enumerations")
        return found

    def amount(self, name: str) -> Decimal:
        """Give an amount above zero."""
        found = an_amount(self._body.get(name))
        if found is None:
            self.fail(name, "cannot.be.blank")
            return Decimal(0)
        if found <= 0:
            self.fail(name, "not.greater.than.zero")
        return found

    def day(self, name: str) -> date:
        """Give a date, read by `dateFormat` with a `locale`."""
        if not self.text("locale"):
            self.fail("locale", "cannot.be.blank")
        found = a_date(self._body.get(name), self._body.get("dateFormat"))
        if found is None:
            self.fail(name, "cannot.be.blank")
            return date.min
        return found

    def fail(self, name: str, code: str) -> None:
        """Keep what is wrong with a field."""
        says = f"The parameter `{name}` {code.replace('.', ' ')}."
        whole = f"validation.msg.{self._place}.{name}.{code}"
        self.wrong.append(Reason(whole, says, name))

    def check(self, *inner: "Fields") -> None:
        """End the reading.

        Raises:
            Refusal: 400, naming all that was wrong here and inside.
        """
        wrong = [*self.wrong, *(reason for one in inner for reason in one.wrong)]
        if wrong:
            raise invalid(*wrong)
