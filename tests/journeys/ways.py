"""What customers lose, row by row, as the stories and docs/operations.md name it.

Each row has a story of its own: its title in small letters is the story's name. What a
row still lacks, because another part of the bank brings it, stands here.
"""

import re
from dataclasses import dataclass

WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One loss.

    Attributes:
        title: What is lost, in the first column of the page.
        lacks: What of its ways cannot be walked yet, and why.
    """

    title: str
    lacks: str | None = None

    @property
    def story(self) -> str:
        """The name of its test."""
        words = WORDS.sub("_", self.title.casefold().replace("'", ""))
        return f"test_{words.strip('_')}"


ROWS = (
    Row("signal or an answer"),
    Row("mPIN forgotten, passkey or finger works"),
    Row("mPIN forgotten or locked, nothing else works"),
    Row("fingers changed on the phone"),
    Row("app deleted or key store wiped"),
    Row("phone lost or stolen"),
    Row("all three places taken by dead phones"),
    Row("phone locked"),
    Row("emergency stop pressed"),
    Row(
        "SIM or number, phone works",
        lacks="contactChange (P1); until then the desk would change the number, and "
        "has no command for it",
    ),
    Row("SIM and phone", lacks="the same command of the desk, before enrolling"),
    Row("activation code"),
    Row("authenticator app"),
    Row("recovery codes"),
    Row("authenticator app, recovery codes and phone"),
    Row("passkey"),
    Row(
        "everything but a passkey",
        lacks="a payment that goes to review: there are no risk rules yet",
    ),
    Row("text messages used up by a stranger"),
    Row("the phone's clock is wrong"),
    Row("blocked by wrong tries on several phones"),
)
