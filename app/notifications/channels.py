"""The ways by which a customer can be told something, and what goes by all of them.

What is mandatory goes at once, to every phone, and knows no mute, rest or choice.
"""

from enum import StrEnum

from app.realtime.facts import Category

MANDATORY = frozenset({Category.SECURITY, Category.LOGIN_APPROVAL})


class Channel(StrEnum):
    """One way."""

    PUSH = "PUSH"
    IN_APP = "IN_APP"
