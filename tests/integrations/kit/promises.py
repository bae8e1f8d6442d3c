"""What an adapter promises, in sentences; a check that fails names the broken one."""

from enum import StrEnum


class Promise(StrEnum):
    """One sentence each; docs/adapters.md explains them under the same words."""

    ONCE = "one op moves money once, however often it is sent"
    SAME_ANSWER = "a repeat of an op is given the first answer again"
    OTHER_BODY = "an op that comes again with another body moves nothing"
    REFUSED = "a refusal is Rejected, with the right code, and moves nothing"
    UNSURE = "what may have been done is Unknown: not Rejected, not NotSent, not a lie"
    NOT_SENT = "what surely was not taken raises NotSent, and has no effect"
    LOOKUP = "lookup tells what stands in the partner's books"
    NEVER_SEEN = "of an op that the partner never saw, lookup says NEVER_SEEN"
    MONEY = "money is exact, in whole minor units, in every currency"
    BALANCE = "a balance is what stands in the partner's books"
    HOLD = "held money is still booked and no longer available"
    CAPTURE = "a capture books the held money and ends the hold"
    RELEASE = "a release frees the held money"
    REVERSE = "a reversal is booked once"
    ROWS = "a row tells direction, amount and state of one movement"
    PAGES = "each row of the history is told once, newest first, and none is lost"
    CALLS = "a look takes at most two calls, however many accounts it is about"
    ACCOUNTS = "exactly the accounts of a customer are listed, as they are"
    STATE = "a changed state is shown"
    READS = "a read that gets no answer raises Outage"
    CLOSE = "close lets go of every connection, thread and task"
    SECRETS = "no secret and no name of a person shows in a repr or in the log"
    TRANSACTION = "no partner is called inside a database transaction"
    NAMES = "a payee is named in full to us and masked to the payer, or is nobody"
    FORGED = "what nobody signed is Forged"
    FORM = "an adapter says what it can, and its settings have a block of their own"
    PLACES = "each message has its outcome in its place, and arrives once"


class Broken(AssertionError):
    """An adapter broke a promise."""


def kept(promise: Promise, holds: object, seen: object = "") -> None:
    """Go on if a promise was kept.

    Raises:
        Broken: it was not; names it, and what was seen instead.
    """
    if not holds:
        raise Broken(f"broken promise: {promise} -- seen: {seen}")
