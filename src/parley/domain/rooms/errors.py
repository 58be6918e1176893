"""Why a room says no. A `RoomRefused` is a `Refused` of the domain whose `code` is one of `Why`.

DomainError
`-- Refused
    `-- RoomRefused
"""

from __future__ import annotations

from enum import StrEnum

from parley.domain.errors import Refused


class Why(StrEnum):
    """Stable codes."""

    NO_SUCH_ROOM = "room-not-found"
    NO_SUCH_OCCUPANT = "room-occupant-not-found"
    ROOM_LOCKED = "room-locked"
    PASSWORD_WRONG = "room-password-wrong"  # noqa: S105 - a code, not a password
    BANNED = "room-banned"
    NO_MEMBER = "room-members-only"
    FULL = "room-full"
    NICK_TAKEN = "room-nick-taken"
    NICK_LOCKED = "room-nick-locked"
    NICK_BAD = "room-nick-bad"
    NOT_INSIDE = "room-not-inside"
    NO_PRIVILEGE = "room-no-privilege"
    TARGET_TOO_HIGH = "room-target-too-high"
    ONESELF = "room-oneself"
    LAST_OWNER = "room-last-owner"
    CREATION_RESTRICTED = "room-creation-restricted"
    TOO_MANY_ROOMS = "room-too-many-rooms"
    TOO_MANY_STANDINGS = "room-too-many-affiliations"
    CONFIG_BAD = "room-config-bad"
    TOO_LONG = "room-text-too-long"
    TOO_FAST = "room-too-fast"


class RoomRefused(Refused):
    """A room refused; the message is for people, in English, and names nobody."""

    def __init__(self, why: Why, message: str = "") -> None:
        super().__init__(why.value, message)
        self.why = why
