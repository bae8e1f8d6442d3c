"""The ways by which a customer can be told something."""

from enum import StrEnum


class Channel(StrEnum):
    """One way."""

    PUSH = "PUSH"
    IN_APP = "IN_APP"
