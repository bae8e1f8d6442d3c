"""The threat table, row by row: what is tried here, and what waits for a later part.

A test says which row it tries: `@pytest.mark.attack("forged token")`. A row that waits
names the feature whose arrival gives it something to attack; then the name is taken
away here, and `test_rows.py` fails until a test tries it. `lacks` names the part of a
built row that cannot be tried yet.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One threat.

    Attributes:
        title: What the marker says.
        waits_for: The feature it needs; None where it is built and tried.
        lacks: What of it is still missing, although the rest is tried.
    """

    title: str
    waits_for: str | None = None
    lacks: str | None = None


ROWS = (
    Row("stolen access token"),
    Row("replayed request"),
    Row("swapped body"),
    Row("forged token"),
    Row("stolen refresh token"),
    Row("refresh replay and race"),
    Row("SIM swap"),
    Row("SIM and activation code stolen"),
    Row("newcomer purges the owner"),
    Row("purse multiplied by new phones"),
    Row("watched screen-lock code"),
    Row("tricked approval of a foreign phone"),
    Row("OTP guessing and SMS bombing"),
    Row("activation code"),
    Row("mPIN guessing on the phone"),
    Row("database stolen"),
    Row("key rotation"),
    Row("guessing from afar"),
    Row("stolen phone image"),
    Row("user enumeration"),
    Row("batched guesses"),
    Row("passkey of another site"),
    Row("broken passkey"),
    Row("challenge used elsewhere"),
    Row("payment changed after signing"),
    Row("approved twice"),
    Row("forged callback"),
    Row("replayed callback"),
    Row("foreign quote"),
    Row("tampered quote"),
    Row("forged attestation"),
    Row("TOTP replay"),
    Row("session fixation"),
    Row("ended session lives on"),
    Row("locked signs in another way"),
    Row("reading below LOGIN"),
    Row("push address takeover"),
    Row("ids of another customer"),
    Row("foreign page and init flood"),
    Row("spoofed address"),
    Row("one address for a town"),
    Row("secrets in logs"),
    Row("wrong phone clock"),
    Row("approval fatigue"),
)
